// One function per source of files.
#include "node/volumes.h"

#include <algorithm>

#include "base/text.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "node/environment.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

constexpr int kDefaultMode = 0644;

struct FileSet {
  std::map<std::string, VolumeFile> files;
  Instant renew_at = Instant::max();
};

int mode_of(const Value& item, int fallback) {
  return static_cast<int>(item["mode"].as_int(fallback));
}

// data (and binaryData) of a ConfigMap or Secret, all of it or the chosen items.
Result<void> add_object(FileSet& set, const Value& pod, const VolumeSources& sources,
                        std::string_view resource, std::string_view name, const Value& source,
                        int mode) {
  const bool secret = resource == "secrets";
  const bool optional = source["optional"].as_bool();
  const std::string ns(model::namespace_of(pod));
  const Value object = sources.view.get(resource, ns, name);
  if (object.is_null()) {
    if (optional) return {};
    return Error{Reason::not_found,
                 (secret ? "secret " : "configmap ") + quote(name) + " not found"};
  }
  const auto bytes_of = [&](std::string_view key) -> const std::optional<std::string> {
    if (const Value* text = object["data"].find(key))
      return secret ? from_base64(text->as_string()) : std::optional(text->str());
    if (const Value* binary = object["binaryData"].find(key))
      return from_base64(binary->as_string());
    return std::nullopt;
  };
  if (source["items"].size() == 0) {
    for (const std::string_view part : {"data", "binaryData"})
      for (const codec::Member& member : object[part].members())
        set.files[std::string(member.key())] = {bytes_of(member.key()).value_or(""), mode};
    return {};
  }
  for (const Value& item : source["items"].elements()) {
    const auto bytes = bytes_of(item["key"].as_string());
    if (!bytes) {
      if (optional) continue;
      return Error{Reason::not_found,
                   secret ? "references non-existent secret key: " + item["key"].str()
                          : "configmap references non-existent config key: " + item["key"].str()};
    }
    set.files[item["path"].str()] = {*bytes, mode_of(item, mode)};
  }
  return {};
}

Result<void> add_downward(FileSet& set, const Value& pod, const VolumeSources& sources,
                          const Value& source, int mode) {
  PodFacts facts;
  facts.node_name = sources.node_name;
  facts.host_address = sources.host_address;
  facts.address = pod["status"]["podIP"].str();
  facts.allocatable = sources.view.get("nodes", "", sources.node_name)["status"]["allocatable"];
  for (const Value& item : source["items"].elements()) {
    std::string text;
    if (item.has("fieldRef")) {
      TRY(text, field_value(pod, item["fieldRef"]["fieldPath"].as_string(), facts));
    } else {
      const Value& reference = item["resourceFieldRef"];
      TRY(text, resource_value(container_named(pod, reference["containerName"].as_string()),
                               reference, facts));
    }
    set.files[item["path"].str()] = {std::move(text), mode_of(item, mode)};
  }
  return {};
}

Result<void> add_token(FileSet& set, const Value& pod, const VolumeSources& sources,
                       const Value& source, int mode) {
  if (!sources.tokens)
    return Error{Reason::service_unavailable, "failed to fetch token: no token source"};
  TokenRequest request;
  request.namespace_ = std::string(model::namespace_of(pod));
  request.service_account =
      pod["spec"].has("serviceAccountName") ? pod["spec"]["serviceAccountName"].str() : "default";
  request.audience = source["audience"].str();
  request.expiration_seconds = source["expirationSeconds"].as_int(3600);
  request.pod = pod;
  Result<Token> token = sources.tokens(request);
  if (!token.ok())
    return Error{token.error().reason, "failed to fetch token: " + token.error().message};
  // The kubelet renews at 80 % of the life time, or after a day.
  const Duration life = token->expires - sources.now;
  set.renew_at = std::min(set.renew_at, sources.now + std::min(life / 5 * 4, Duration::hours(24)));
  set.files[source["path"].str()] = {token->text, mode};
  return {};
}

Result<FileSet> projected(const Value& pod, const VolumeSources& sources, const Value& volume) {
  FileSet set;
  const int mode = static_cast<int>(volume["defaultMode"].as_int(kDefaultMode));
  for (const Value& source : volume["sources"].elements()) {
    if (source.has("configMap"))
      TRY_VOID(add_object(set, pod, sources, "configmaps", source["configMap"]["name"].as_string(),
                          source["configMap"], mode));
    if (source.has("secret"))
      TRY_VOID(add_object(set, pod, sources, "secrets", source["secret"]["name"].as_string(),
                          source["secret"], mode));
    if (source.has("downwardAPI"))
      TRY_VOID(add_downward(set, pod, sources, source["downwardAPI"], mode));
    if (source.has("serviceAccountToken"))
      TRY_VOID(add_token(set, pod, sources, source["serviceAccountToken"], mode));
  }
  return set;
}

Result<FileSet> files_of(const Value& pod, const VolumeSources& sources, const Value& volume) {
  FileSet set;
  const auto mode = [](const Value& source) {
    return static_cast<int>(source["defaultMode"].as_int(kDefaultMode));
  };
  if (const Value& source = volume["configMap"]; source.is_object()) {
    TRY_VOID(add_object(set, pod, sources, "configmaps", source["name"].as_string(), source,
                        mode(source)));
  } else if (const Value& secret = volume["secret"]; secret.is_object()) {
    TRY_VOID(add_object(set, pod, sources, "secrets", secret["secretName"].as_string(), secret,
                        mode(secret)));
  } else if (const Value& downward = volume["downwardAPI"]; downward.is_object()) {
    TRY_VOID(add_downward(set, pod, sources, downward, mode(downward)));
  } else if (volume.has("projected")) {
    return projected(pod, sources, volume["projected"]);
  } else {
    return Error{Reason::invalid, "no driver for this kind of volume"};
  }
  return set;
}

// A claim is served by the directory of its volume (hostPath or local), as the provisioner made it.
Result<Volume> claimed(const Value& pod, const VolumeSources& sources, const Value& source) {
  const std::string name = source["claimName"].str();
  const Value claim = sources.view.get("persistentvolumeclaims", model::namespace_of(pod), name);
  if (claim.is_null())
    return Error{Reason::not_found, "persistentvolumeclaim " + quote(name) + " not found"};
  const std::string bound = claim["spec"]["volumeName"].str();
  if (bound.empty() || claim["status"]["phase"].as_string() != "Bound")
    return Error{Reason::invalid, "PVC is not bound"};
  const Value volume = sources.view.get("persistentvolumes", "", bound);
  Volume out;
  out.kind = Volume::Kind::host_path;
  for (const std::string_view kind : {"hostPath", "local"})
    if (volume["spec"].has(kind)) out.host_path = volume["spec"][kind]["path"].str();
  if (out.host_path.empty())
    return Error{Reason::invalid,
                 "persistent volume " + quote(bound) + " is neither hostPath nor local"};
  out.host_path_type = "DirectoryOrCreate";
  return out;
}

Result<Volume> volume_of(const Value& pod, const VolumeSources& sources, const Value& volume) {
  Volume out;
  if (volume.has("emptyDir") || volume.has("ephemeral")) {
    out.kind = Volume::Kind::empty_dir;
    out.in_memory = volume["emptyDir"]["medium"].as_string() == "Memory";
    out.bytes_max = model::Quantity::of(volume["emptyDir"]["sizeLimit"]).value();
  } else if (volume.has("hostPath")) {
    out.kind = Volume::Kind::host_path;
    out.host_path = volume["hostPath"]["path"].str();
    out.host_path_type = volume["hostPath"]["type"].str();
  } else if (volume.has("persistentVolumeClaim")) {
    TRY(out, claimed(pod, sources, volume["persistentVolumeClaim"]));
  } else {
    TRY(FileSet set, files_of(pod, sources, volume));
    out.files = std::move(set.files);
    out.renew_at = set.renew_at;
  }
  out.name = volume["name"].str();
  return out;
}

bool names(const Value& reference, std::string_view field, std::string_view name) {
  return reference.is_object() && reference[field].as_string() == name;
}

}  // namespace

Result<std::vector<Volume>> volumes_of(const Value& pod, const VolumeSources& sources) {
  std::vector<Volume> out;
  for (const Value& volume : pod["spec"]["volumes"].elements()) {
    Result<Volume> made = volume_of(pod, sources, volume);
    if (!made.ok())
      return Error{made.error().reason, "MountVolume.SetUp failed for volume " +
                                            quote(volume["name"].as_string()) + " : " +
                                            made.error().message};
    out.push_back(std::move(made).value());
  }
  return out;
}

bool refers_to(const Value& pod, std::string_view resource, std::string_view name) {
  const bool secret = resource == "secrets";
  for (const Value& volume : pod["spec"]["volumes"].elements()) {
    if (names(volume[secret ? "secret" : "configMap"], secret ? "secretName" : "name", name))
      return true;
    for (const Value& source : volume["projected"]["sources"].elements())
      if (names(source[secret ? "secret" : "configMap"], "name", name)) return true;
  }
  for (const std::string_view list : {"containers", "initContainers"}) {
    for (const Value& container : pod["spec"][list].elements()) {
      for (const Value& source : container["envFrom"].elements())
        if (names(source[secret ? "secretRef" : "configMapRef"], "name", name)) return true;
      for (const Value& variable : container["env"].elements())
        if (names(variable["valueFrom"][secret ? "secretKeyRef" : "configMapKeyRef"], "name", name))
          return true;
    }
  }
  return false;
}

}  // namespace keelson::node
