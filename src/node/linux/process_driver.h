// The driver for hosts without privileges: plain processes under the same keeper. What is lost:
// images of the local store (no root file systems), mounted volumes (their files lie under
// $KEELSON_VOLUMES/NAME instead), limits, and namespaces. Every pod has an address of its own in
// 127.64.0.0/10, to which built-in stand-ins bind, so any number of them runs side by side.
#pragma once

#include "node/linux/crun_driver.h"

namespace keelson::node {

class ProcessDriver : public CrunDriver {
 public:
  using CrunDriver::CrunDriver;
  std::string_view name() const override { return "process"; }
  std::optional<Usage> usage(const std::string& run_id) override;
  std::string network_namespace(const Value&, const Sandbox&) const override { return {}; }

 protected:
  bool needs_privileges() const override { return false; }
  void sandbox_attached(const Value& pod, int attempt, cluster::PodAttachment attachment,
                        std::function<void(Result<Sandbox>)> done) override;
  Result<Prepared> prepare(const ContainerRequest& request) override;
  std::vector<std::string> exec_argv(const std::string& run_id, bool terminal,
                                     const std::vector<std::string>& command) const override;
  std::string exec_mounts() const override { return {}; }

 private:
  std::uint32_t addresses_ = 0;
};

// Its network: addresses are the driver's own affair.
class NoNetwork : public cluster::PodNetwork {
 public:
  void attach(const codec::Value&,
              std::function<void(Result<cluster::PodAttachment>)> done) override {
    done(cluster::PodAttachment{});
  }
  void adopt(const codec::Value&, const cluster::PodAttachment&) override {}
  void detach(const codec::Value&, const cluster::PodAttachment&,
              std::function<void()> done) override {
    done();
  }
};

}  // namespace keelson::node
