#include "node/linux/image_store.h"

#include <unistd.h>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "node/stand_in_rules.h"

namespace keelson::node {
ImageStore::ImageStore(cluster::Cluster& cluster, host::Processes& processes, Options options)
    : cluster_(cluster),
      options_(std::move(options)),
      library_(processes, options_.directory, options_.pods) {
  library_.empty_trash();
}

ImageStore::~ImageStore() {
  *alive_ = false;
}

void ImageStore::ensure(const Value& pod, const Value& container, OnImage done) {
  const std::string image = container["image"].str();
  ImageOutcome outcome;
  if (auto stand_in = stand_in_for(cluster_.list(options_.platforms), image)) {
    outcome.ok = true;
    outcome.notices.push_back({true, "StandIn", stand_in_notice(*stand_in)});
    return done(std::move(outcome), std::move(*stand_in));
  }
  const auto full_name = full_image_name(image);
  if (!full_name) {
    outcome.reason = "InvalidImageName";
    outcome.message = "Failed to apply default image tag " + quote(image) +
                      ": couldn't parse image name " + quote(image) + ": invalid reference format";
    outcome.notices.push_back({true, "InspectFailed", outcome.message});
    return done(std::move(outcome), {});
  }
  Image found;
  if (library_.find(*full_name, found)) {
    outcome.ok = true;
    outcome.notices.push_back({false, "Pulled",
                               "Container image " + quote(image) +
                                   " already present on machine and can be accessed by the pod"});
    return done(std::move(outcome), std::move(found));
  }
  if (container["imagePullPolicy"].as_string() == "Never") {
    outcome.reason = "ErrImageNeverPull";
    outcome.message =
        "Container image " + quote(image) + " is not present with pull policy of Never";
    outcome.notices.push_back({true, "ErrImageNeverPull", outcome.message});
    return done(std::move(outcome), {});
  }
  pull(pod, image, *full_name, done);
}

// The pod's pull secrets in one docker config.json; empty without any.
std::string ImageStore::credentials_of(const Value& pod) const {
  Value auths = Value::object();
  for (const Value& reference : pod["spec"]["imagePullSecrets"].elements()) {
    const Value secret =
        cluster_.get("secrets", model::namespace_of(pod), reference["name"].as_string());
    const auto bytes = from_base64(secret["data"][".dockerconfigjson"].as_string());
    const auto config = bytes ? codec::parse_json(*bytes) : Result<Value>(Value());
    if (!config.ok()) continue;
    for (const codec::Member& member : (*config)["auths"].members())
      auths.set(member.key(), member.value);
  }
  if (auths.empty()) return {};
  return codec::to_json(Value::object({{"auths", std::move(auths)}}));
}

void ImageStore::pull(const Value& pod, const std::string& image, const std::string& full_name,
                      const OnImage& done) {
  const std::string hint =
      "no stand-in rule of a Platform matches it and it was not loaded (keelson image load)";
  if (!options_.from_registries || ::access("/usr/bin/skopeo", X_OK) != 0 ||
      ::access("/usr/bin/umoci", X_OK) != 0) {
    ImageOutcome outcome;
    outcome.tried_registry = true;
    outcome.reason = "ErrImagePull";
    outcome.message = "image " + quote(full_name) + " is not in the local store; " + hint;
    return done(std::move(outcome), {});
  }
  const Instant begun = cluster_.now();
  library_.load(
      "docker://" + full_name, full_name,
      [this, alive = alive_, image, full_name, done, hint, begun](Result<std::string> id) {
        if (!*alive) return;
        ImageOutcome outcome;
        outcome.tried_registry = true;
        Image found;
        outcome.ok = id.ok() && library_.find(full_name, found);
        if (outcome.ok) {
          const Duration took =
              Duration::milliseconds((cluster_.now() - begun).count_milliseconds());
          outcome.notices.push_back({false, "Pulled",
                                     "Successfully pulled image " + quote(image) + " in " +
                                         to_text(took) + " (" + to_text(took) +
                                         " including waiting)."});
        } else {
          outcome.reason = "ErrImagePull";
          outcome.message =
              (id.ok() ? std::string("the image is incomplete") : id.error().message) + "; " + hint;
        }
        done(std::move(outcome), std::move(found));
      },
      credentials_of(pod));
}

// Every node asks at every beat.
Value ImageStore::node_images() const {
  const Instant changed = library_.changed_at();
  if (!changed.is_zero() && changed == node_images_of_) return node_images_;
  Value images = Value::array();
  for (const StoredImage& image : library_.stored())
    images.push_back(Value::object(
        {{"names", Value::array({image.id, image.name})}, {"sizeBytes", image.bytes}}));
  // Another change within the same tick of the disk's clock would look the same.
  const bool settled = cluster_.now() - changed > Duration::seconds(1);
  node_images_ = images;
  node_images_of_ = settled ? changed : Instant();
  return images;
}

}  // namespace keelson::node
