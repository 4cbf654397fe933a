// Checks: the sentences after at, by, until, always and never, evaluated on a view. Pure.
//
//   deploy/web .status.readyReplicas == 8          a field of an object; NAMESPACE/deploy/web
//   outside default deploy/web exists        node/n2 absent pods app=web ready >= 2 how many pods
//   of a selector are ready pods app=web .status.phase=Running count >= 8  how many have this value
//   there pods * .spec.nodeName absent                   whether any has nothing there pods app=web
//   skew topology.kubernetes.io/zone <= 1 events FailedScheduling count >= 1 load svc/web
//   availability >= 99.9              also errors, p95 (ms), p99, rps
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/cluster.h"

namespace keelson::sim {

// What an object is called in a scenario: "deploy/web", "prod/deploy/web".
struct ObjectName {
  std::string resource, namespace_, name;
};
Result<ObjectName> parse_object_name(const std::string& text);

// Figures of a load since its beginning: availability in percent, errors, p95 and p99 in
// milliseconds, rps.
using LoadFigure =
    std::function<std::optional<double>(const std::string& target, const std::string& figure)>;

struct CheckOutcome {
  bool holds = false;
  std::string actual;  // what was found, for messages
};
// Error: bad_request if the sentence is none; found when a scenario is loaded, before it runs.
Result<CheckOutcome> evaluate(const std::vector<std::string>& words, const cluster::View& view,
                              const LoadFigure& load);

// The value of a field as a trace shows it: "-" if absent.
std::string field_text(const ObjectName& name, const std::string& path, const cluster::View& view);

}  // namespace keelson::sim
