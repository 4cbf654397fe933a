// Image scores as Kubernetes' plugins/imagelocality.
#include "sched/plugins/image_locality.h"

#include <algorithm>

namespace keelson::sched {
namespace {

constexpr std::int64_t kMebibyte = 1024 * 1024;
constexpr std::int64_t kThresholdMin = 23 * kMebibyte;
constexpr std::int64_t kThresholdMaxPerContainer = 1000 * kMebibyte;

struct Images : State {
  struct Image {
    std::string name;
    std::int64_t score;  // bytes, scaled by the share of nodes that have it
  };
  std::vector<Image> images;
  std::int64_t containers = 0;
};

// The kubelet reports images with a tag.
std::string with_tag(std::string_view image) {
  const auto colon = image.rfind(':');
  const auto slash = image.rfind('/');
  const bool tagged =
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  return std::string(image) + (tagged ? "" : ":latest");
}

}  // namespace

Status ImageLocality::pre_score(const Cycle& cycle, std::span<const NodeInfo* const>,
                                std::shared_ptr<State>& state) const {
  auto images = std::make_shared<Images>();
  const Value& spec = cycle.pod.spec();
  const auto total = static_cast<double>(cycle.snapshot.nodes().size());
  const auto add = [&](const Value& image) {
    std::string name = with_tag(image.as_string());
    const Snapshot::Image known = cycle.snapshot.image(name);
    if (known.nodes == 0) return;
    const double share = static_cast<double>(known.nodes) / total;
    const auto scaled = static_cast<std::int64_t>(static_cast<double>(known.bytes) * share);
    images->images.push_back({std::move(name), scaled});
  };
  for (const Value& container : spec["initContainers"].elements()) add(container["image"]);
  for (const Value& container : spec["containers"].elements()) add(container["image"]);
  for (const Value& volume : spec["volumes"].elements())
    if (volume["image"].is_object()) add(volume["image"]["reference"]);
  images->containers =
      static_cast<std::int64_t>(spec["initContainers"].size() + spec["containers"].size());
  state = std::move(images);
  return {};
}

std::int64_t ImageLocality::score(const Cycle&, const State* state, const NodeInfo& node) const {
  const auto& wanted = *static_cast<const Images*>(state);
  std::int64_t sum = 0;
  const auto& have = node.images();
  for (const auto& image : wanted.images)
    if (std::binary_search(have.begin(), have.end(), image.name)) sum += image.score;
  const std::int64_t threshold_max = kThresholdMaxPerContainer * wanted.containers;
  if (threshold_max <= kThresholdMin) return 0;
  sum = std::clamp(sum, kThresholdMin, threshold_max);
  return kScoreMax * (sum - kThresholdMin) / (threshold_max - kThresholdMin);
}

}  // namespace keelson::sched
