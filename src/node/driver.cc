// What a driver without streams says.
#include "node/driver.h"

namespace keelson::node {
namespace {

class NoSession : public cluster::Session {
 public:
  void input(std::string_view) override {}
  void end_input() override {}
  std::size_t input_buffered() const override { return 0; }
  void on_input_drained(std::function<void()>) override {}
  void resize(int, int) override {}
};

}  // namespace

std::string Driver::network_namespace(const Value&, const Sandbox& sandbox) const {
  return sandbox.network_namespace;
}

std::string Driver::log_path(const Value&, const ContainerRun&) const {
  return {};
}

std::shared_ptr<cluster::Session> Driver::exec_session(const std::string&,
                                                       const cluster::ExecOptions&,
                                                       cluster::ExecEvents events) {
  events.on_exit(Error{Reason::service_unavailable,
                       "the driver " + std::string(name()) + " runs no commands"});
  return std::make_shared<NoSession>();
}

std::shared_ptr<cluster::Session> Driver::attach_session(const std::string& run_id,
                                                         const cluster::ExecOptions& options,
                                                         cluster::ExecEvents events) {
  return Driver::exec_session(run_id, options, std::move(events));
}

}  // namespace keelson::node
