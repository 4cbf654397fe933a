#include "app/manifests.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/text.h"

namespace keelson::app {
namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t kFileBytesMax = 16U << 20;

// What must be there before what; kinds that are not named come last but one, webhooks last.
int rank_of(std::string_view kind) {
  static constexpr std::string_view kOrder[] = {"Namespace",
                                                "CustomResourceDefinition",
                                                "Platform",
                                                "PriorityClass",
                                                "RuntimeClass",
                                                "StorageClass",
                                                "IngressClass",
                                                "ResourceQuota",
                                                "LimitRange",
                                                "ServiceAccount",
                                                "Secret",
                                                "ConfigMap",
                                                "PersistentVolume",
                                                "PersistentVolumeClaim",
                                                "ClusterRole",
                                                "ClusterRoleBinding",
                                                "Role",
                                                "RoleBinding",
                                                "NetworkPolicy",
                                                "PodDisruptionBudget",
                                                "Service",
                                                "DaemonSet",
                                                "StatefulSet",
                                                "Deployment",
                                                "ReplicaSet",
                                                "Pod",
                                                "Job",
                                                "CronJob",
                                                "HorizontalPodAutoscaler",
                                                "Ingress"};
  for (std::size_t i = 0; i < std::size(kOrder); ++i)
    if (kOrder[i] == kind) return static_cast<int>(i);
  return kind.ends_with("WebhookConfiguration") ? 1000 : 900;
}

bool is_manifest(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

std::string at(const std::string& file, const codec::YamlPosition& position) {
  if (position.line == 0) return file;
  return file + ":" + std::to_string(position.line) +
         (position.column > 0 ? ":" + std::to_string(position.column) : "");
}

const codec::YamlPlace* child_of(const codec::YamlPlace& place, std::string_view key) {
  for (const codec::YamlPlace& child : place.children)
    if (child.key == key) return &child;
  return nullptr;
}

void take(Manifests& all, const std::string& file, codec::Value object, codec::YamlPlace places) {
  if (!object.is_object()) {
    all.problems.push_back(at(file, places.at) +
                           ": a manifest is a mapping with apiVersion and kind");
    return;
  }
  const std::string_view kind = object["kind"].as_string();
  if (kind.ends_with("List") && object["items"].is_array()) {
    const codec::YamlPlace* items = child_of(places, "items");
    for (std::size_t i = 0; i < object["items"].size(); ++i) {
      codec::Value item = object["items"][i];
      // A typed list says once what its items are.
      if (kind != "List" && item.is_object() && !item.has("kind") && !item.has("apiVersion")) {
        item.set("apiVersion", object["apiVersion"]);
        item.set("kind", kind.substr(0, kind.size() - 4));
      }
      take(all, file, std::move(item),
           items != nullptr && i < items->children.size() ? items->children[i] : places);
    }
    return;
  }
  for (const char* field : {"apiVersion", "kind"})
    if (object[field].as_string().empty()) {
      all.problems.push_back(at(file, places.at) + ": " + field + " is missing");
      return;
    }
  if (object.at("metadata.name").as_string().empty() &&
      object.at("metadata.generateName").as_string().empty()) {
    all.problems.push_back(at(file, places.find("metadata.name")) +
                           (object.at("metadata.name").is_null()
                                ? ": metadata.name is missing"
                                : ": metadata.name is no text: quote it"));
    return;
  }
  // Names that would be another path; the server sees them no more as what was written.
  for (const char* field : {"metadata.name", "metadata.namespace"})
    if (const std::string_view name = object.at(field).as_string();
        name.find_first_of("/%") != std::string_view::npos) {
      all.problems.push_back(at(file, places.find(field)) + ": " + field +
                             ": Invalid value: " + quote(name) + ": may not contain '/' or '%'");
      return;
    }
  all.parts.push_back({file, std::move(object), std::move(places)});
}

// Pipes have no size, so that it shows only in reading whether there is too much.
void read_stream(Manifests& all, const std::string& name, std::istream& stream) {
  std::string text;
  char part_of_text[1 << 16];
  while (stream.good() && text.size() <= kFileBytesMax) {
    stream.read(part_of_text, sizeof part_of_text);
    text.append(part_of_text, static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad() || (stream.fail() && !stream.eof())) {
    all.problems.push_back(name + ": cannot be read");
    return;
  }
  if (text.size() > kFileBytesMax) {
    all.problems.push_back(name + ": larger than 16 MiB");
    return;
  }
  for (codec::YamlPart& part : codec::parse_yaml_parts(text)) {
    if (part.problem) {
      all.problems.push_back(at(name, part.problem->at) + ": " + part.problem->message);
      continue;
    }
    for (const std::string& duplicate : part.document.duplicates)
      all.problems.push_back(name + ":" + duplicate.substr(sizeof "line"));
    if (part.document.duplicates.empty())
      take(all, name, std::move(part.document.value), std::move(part.document.places));
  }
}

void read_file(Manifests& all, const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  read_stream(all, path.string(), stream);
}

void read_directory(Manifests& all, const std::string& path) {
  std::error_code failure;
  std::vector<fs::path> files, built;  // built: directories that kustomize is meant to read
  fs::recursive_directory_iterator entry(path, failure);
  for (; !failure && entry != fs::recursive_directory_iterator(); entry.increment(failure)) {
    std::error_code ignored;
    if (!entry->is_regular_file(ignored)) continue;
    const std::string stem = entry->path().stem().string();
    if (is_manifest(entry->path()) && to_lower(stem) == "kustomization")
      built.push_back(entry->path().parent_path());
    else if (is_manifest(entry->path()))
      files.push_back(entry->path());
  }
  if (failure) all.problems.push_back(path + ": " + failure.message());
  // Read as they stand, bases would come without their changes and patches as whole objects.
  std::sort(built.begin(), built.end());
  for (const fs::path& directory : built)
    all.problems.push_back(directory.string() +
                           ": a kustomization is not built, and nothing here was read; use kubectl "
                           "kustomize " +
                           directory.string() + " | keelson up -");
  const std::size_t found = files.size() + built.size();
  std::erase_if(files, [&](const fs::path& file) {
    return std::any_of(built.begin(), built.end(), [&](const fs::path& directory) {
      return file.string().starts_with(directory.string() + "/");
    });
  });
  std::sort(files.begin(), files.end());
  if (found == 0 && !failure)
    all.problems.push_back(path + ": no *.yaml, *.yml or *.json in this directory");
  for (const fs::path& file : files) read_file(all, file);
}

}  // namespace

std::string Manifest::place_of(const std::string& field) const {
  const codec::YamlPosition position = places.find(field);
  return file + (position.line > 0 ? ":" + std::to_string(position.line) : "");
}

std::string Manifest::title() const {
  const codec::Value& meta = object["metadata"];
  const std::string ns = meta["namespace"].str();
  return object["kind"].str() + " " + (ns.empty() ? "" : ns + "/") +
         (meta["name"].is_string() ? meta["name"].str() : meta["generateName"].str() + "*");
}

Result<Manifests> read_manifests(const std::vector<std::string>& paths) {
  Manifests all;
  for (const std::string& path : paths) {
    std::error_code failure;
    if (path == "-") {
      read_stream(all, "standard input", std::cin);
    } else if (fs::is_directory(path, failure)) {
      read_directory(all, path);
    } else if (fs::exists(path, failure)) {
      read_file(all, path);
    } else {
      return Error{.reason = Reason::not_found, .message = path + ": no such file or directory"};
    }
  }
  std::stable_sort(all.parts.begin(), all.parts.end(), [](const Manifest& a, const Manifest& b) {
    return rank_of(a.object["kind"].as_string()) < rank_of(b.object["kind"].as_string());
  });
  return all;
}

}  // namespace keelson::app
