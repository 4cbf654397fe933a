// The order is that of Network::stop: who sends packets ends before what carries them.
#include "net/left_behind.h"

#include "net/ingress/haproxy.h"
#include "net/pod_network.h"
#include "net/service/proxy.h"

namespace keelson::net {

LeftBehind::LeftBehind(host::Loop& loop, host::Processes& processes, host::Sockets& sockets,
                       host::Files& files, host::Links& links, const std::string& directory)
    : links_(links), plan_(claimed_addresses(links, files, directory)) {
  haproxy_ =
      std::make_unique<Haproxy>(loop, processes, sockets, files, directory + "/ingress", [] {});
  if (!plan_.live()) return;
  pods_ = std::make_unique<BridgePodNetwork>(
      loop, links, files, BridgePodNetwork::Options{.plan = plan_, .resolver = {}});
  rules_ = std::make_unique<ServiceProxy>(loop, processes, plan_.bridge, [] { return Ruleset(); });
}

LeftBehind::~LeftBehind() = default;

cluster::PodNetwork* LeftBehind::pods() {
  return pods_.get();
}

void LeftBehind::end(std::function<void()> done) {
  const auto finish = [this, done = std::move(done)] {
    if (pods_) pods_->remove_all();
    release_addresses(links_, plan_);
    done();
  };
  haproxy_->stop([this, finish] {
    if (rules_)
      rules_->remove(finish);
    else
      finish();
  });
}

}  // namespace keelson::net
