// Plays the recorded conversations as far as they go without a server: a dry-run create is
// decoding, defaulting, preparing and validating; a dry-run update is the same against the object
// that an earlier step created. What admission, allocation and storage add is taken out of both
// sides, and steps that depend on them are left to the player against the whole server. The number
// of equal answers must not sink below the floors at the end.
//
//   KEELSON_GOLDEN_ONLY=validation/pod KEELSON_GOLDEN_SHOW=20 build/model_test
//   --gtest_filter=Golden*
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <sstream>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "model/scheme.h"

namespace keelson::model {
namespace {

// Recorded answers number identifiers.
const std::string kUid = "00000000-0000-4000-8000-000000000000";

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

Value json(const std::string& text) {
  return codec::parse_json(text).value();
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}
std::string filled(const std::string& text) {
  return replaced(replaced(replaced(text, "${ns}", "space"), "${id}", "ident"), "${Id}", "Ident");
}
Value filled(const Value& value) {
  return json(filled(codec::to_json(value)));
}

Value* follow(Value& root, const std::string& pointer) {
  Value* at = &root;
  if (pointer.empty()) return at;
  for (const std::string& part : split(pointer.substr(1), '/')) {
    const std::string key = replaced(replaced(part, "~1", "/"), "~0", "~");
    at = at->is_array() ? &at->edit(static_cast<std::size_t>(std::stoul(key))) : &at->edit(key);
  }
  return at;
}

// The operations of a step's "patch" on a copy of a base.
Value patched(Value body, const Value& operations) {
  for (const Value& operation : operations.elements()) {
    const std::string pointer = operation[0].str();
    const bool removes = operation.size() == 1;
    if (pointer.empty()) {
      body = operation[1];
      continue;
    }
    const std::size_t slash = pointer.rfind('/');
    Value* at = follow(body, pointer.substr(0, slash));
    const std::string last = replaced(replaced(pointer.substr(slash + 1), "~1", "/"), "~0", "~");
    if (at->is_array() && last == "-")
      at->push_back(operation[1]);
    else if (at->is_array() && removes)
      at->erase(static_cast<std::size_t>(std::stoul(last)));
    else if (at->is_array())
      at->edit(static_cast<std::size_t>(std::stoul(last))) = operation[1];
    else if (removes)
      at->erase(last);
    else
      at->set(last, operation[1]);
  }
  return body;
}

struct Target {
  ResourcePointer resource;
  std::string ns, name, subresource;
};

Target target_of(const TypeTable& table, std::string path) {
  path = path.substr(0, path.find('?'));
  std::vector<std::string> parts = split(path.substr(1), '/');
  Target target;
  const bool core = parts[0] == "api";
  std::size_t at = core ? 2 : 3;
  if (parts.size() <= at) return target;
  const std::string group = core ? "" : parts[1], version = parts[at - 1];
  if (parts[at] == "namespaces" && parts.size() > at + 2 && parts[at + 2] != "status" &&
      parts[at + 2] != "finalize") {
    target.ns = parts[at + 1];
    at += 2;
  }
  target.resource = table.find(group, version, parts[at]);
  if (parts.size() > at + 1) target.name = parts[at + 1];
  if (parts.size() > at + 2) target.subresource = parts[at + 2];
  return target;
}

// What only a server adds.
void strip(Value& object, bool pod) {
  if (!object.is_object()) return;
  for (const char* key : {"uid", "creationTimestamp", "managedFields", "resourceVersion"})
    if (object["metadata"].is_object()) object.edit("metadata").erase(key);
  if (object["kind"].as_string() == "CertificateSigningRequest" && object["spec"].is_object())
    for (const char* key : {"username", "uid", "groups", "extra"}) object.edit("spec").erase(key);
  if (object["kind"].as_string() == "Node" && object["spec"].is_object()) {
    Value& taints = object.edit("spec").edit("taints");
    for (std::size_t i = taints.size(); i > 0; --i)
      if (taints[i - 1]["key"].as_string() == "node.kubernetes.io/not-ready") taints.erase(i - 1);
    if (taints.empty()) object.edit("spec").erase("taints");
  }
  if (object["kind"].as_string() == "Service" && object["spec"].is_object()) {
    Value& spec = object.edit("spec");
    for (const char* key :
         {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"})
      spec.erase(key);
    for (std::size_t i = 0; i < spec["ports"].size(); ++i)
      spec.edit("ports").edit(i).erase("nodePort");
  }
  if (!pod || !object["spec"].is_object()) return;
  Value& spec = object.edit("spec");
  for (const char* key :
       {"tolerations", "serviceAccount", "serviceAccountName", "priority", "preemptionPolicy"})
    spec.erase(key);
  const auto added = [](const Value& named) {
    return named["name"].as_string().find("kube-api-access") != std::string_view::npos;
  };
  const auto drop = [&](Value& owner, const char* key) {
    for (std::size_t i = owner[key].size(); i > 0; --i)
      if (added(owner[key][i - 1])) owner.edit(key).erase(i - 1);
    if (owner.has(key) && owner[key].empty()) owner.erase(key);
  };
  drop(spec, "volumes");
  for (const char* list : {"containers", "initContainers"})
    for (std::size_t i = 0; i < spec[list].size(); ++i)
      drop(spec.edit(list).edit(i), "volumeMounts");
}

Value status_of(const Error& error) {
  Value details = Value::object();
  if (!error.name.empty()) details.set("name", error.name);
  if (!error.group.empty()) details.set("group", error.group);
  if (!error.kind.empty()) details.set("kind", error.kind);
  Value causes = Value::array();
  for (const Cause& c : error.causes)
    causes.push_back(
        Value::object({{"reason", c.type}, {"message", c.message}, {"field", c.field}}));
  if (!causes.empty()) details.set("causes", causes);
  return Value::object({{"message", error.message}, {"details", details}});
}

class Player {
 public:
  explicit Player(const TypeTable& table) : table_(table) {}

  // One of "", "equal", or what differs; nullopt if the step is not for this player.
  std::optional<std::string> step(const Value& sequence, const Value& step, std::size_t index) {
    const std::string method = step["method"].str(), path = filled(step["path"].str());
    const Value& answer = step["answer"];
    const Target target = target_of(table_, path);
    if (target.resource == nullptr || (method != "POST" && method != "PUT")) return std::nullopt;
    if (method == "POST" && !target.name.empty()) return std::nullopt;
    if (method == "PUT" && !target.subresource.empty()) return std::nullopt;
    const auto code = answer["status"].as_int();
    std::string source;
    if (step.has("bodyText"))
      source = filled(step["bodyText"].str());
    else if (step.has("base"))
      source = codec::to_json(filled(patched(
          sequence["bases"][static_cast<std::size_t>(step["base"].as_int())], step["patch"])));
    else if (step.has("body"))
      source = codec::to_json(filled(step["body"]));
    else
      return std::nullopt;
    for (std::size_t i = 0; i < index; ++i) source = with_references(source, i);
    const std::string key = target.resource->stored_as + '/' + target.ns;
    Value old;
    if (method == "PUT") {
      const auto found = objects_.find(key + '/' + target.name);
      if (found == objects_.end()) return std::nullopt;
      old = found->second;
    }
    const auto result = play(target, source, path, old);
    if (code != 200 && code != 201 && code != 422 && code != 400) return std::nullopt;
    const std::string message = answer["body"]["message"].str();
    if (code >= 400 && (message.find("on the URL") != std::string::npos ||
                        message.find("based on URL") != std::string::npos ||
                        message.find("namespace sent on the request") != std::string::npos ||
                        message.find("Options.meta.k8s.io") != std::string::npos ||
                        message.find("Invalid value: 0: must be specified") != std::string::npos))
      return std::nullopt;
    if (result) {
      const bool dry = path.find("dryRun") != std::string::npos;
      if (!dry && code < 300) objects_[key + '/' + std::string(name_of(*result))] = *result;
      answers_[index] = *result;
      if (code >= 300) return "accepted, want " + answer["body"]["message"].str();
      if (step["compare"].as_string() == "status") return "";
      if (step["compare"].is_array()) return compare_parts(step["compare"], *result, answer);
      return compare_objects(target, *result, answer["body"]);
    }
    const Error& error = result.error();
    if (code >= 300 && step["compare"].as_string() == "status") return "";
    if (code < 300) return "refused: " + error.message;
    const Value got = json(normal(replaced(codec::to_json(status_of(error)), "zzzzz", "<suffix>")));
    const Value want = json(normal(filled(codec::to_json(answer["body"]))));
    if (got["message"] != want["message"]) {
      if (code == 400 && replaced(got["message"].str(), "\"pkg/api/legacyscheme/scheme.go:30\"",
                                  "<place>") == want["message"].as_string())
        return "";
      // The difference of the two objects in Go's form is not given.
      const std::string text = got["message"].str();
      const std::size_t diff = want["message"].as_string().find("\n@@");
      if (diff != std::string::npos &&
          want["message"].as_string().substr(0, diff) == text.substr(0, diff))
        return "";
      return "want " + want["message"].str() + "\n    got  " + got["message"].str();
    }
    const Value details = want["details"];
    if (code == 422 && got["details"] != details)
      return "want " + codec::to_json(details) + "\n    got  " + codec::to_json(got["details"]);
    return "";
  }

 private:
  std::string with_references(std::string source, std::size_t i) const {
    const auto found = answers_.find(i);
    if (found == answers_.end()) return source;
    for (const char* field : {"metadata.resourceVersion", "metadata.uid"}) {
      const std::string reference = "${" + std::to_string(i) + ':' + field + '}';
      source = replaced(source, reference, found->second.at(field).str());
    }
    return source;
  }

  Result<Value> play(const Target& target, const std::string& source, const std::string& path,
                     const Value& old) {
    const Resource& resource = *target.resource;
    const auto parsed = codec::parse_json_document(source);
    if (!parsed) return not_json(resource.kind, parsed.error().message, source);
    const codec::JsonDocument& document = *parsed;
    FieldValidation validation = FieldValidation::warn;
    if (path.find("fieldValidation=Strict") != std::string::npos)
      validation = FieldValidation::strict;
    if (path.find("fieldValidation=Ignore") != std::string::npos)
      validation = FieldValidation::ignore;
    TRY(Decoded decoded, decode(resource, document, validation, source));
    Value object = decoded.object;
    apply_defaults(resource, object);
    take_internal_form(resource, object);
    if (resource.namespaced && is_unset_text(object["metadata"]["namespace"]))
      object.edit("metadata").set("namespace", target.ns);
    if (name_of(object).empty() && !target.name.empty())
      object.edit("metadata").set("name", target.name);
    // The registry keeps its own account of these.
    object.edit("metadata").erase("managedFields");
    FieldErrors errors;
    const auto in_storage_version = [&](const Value& one) {
      const auto converted = convert(resource, *table_.storage(resource.stored_as), one);
      return converted ? *converted : one;
    };
    // Defaults of the storage version show in every other.
    if (!resource.storage && resource.group == "autoscaling") {
      const auto storage = table_.storage(resource.stored_as);
      TRY(Value stored, convert(resource, *storage, object));
      apply_defaults(*storage, stored);
      TRY(object, convert(*storage, resource, stored));
    }
    if (old.is_null()) {
      if (name_of(object).empty() && object["metadata"].has("generateName"))
        object.edit("metadata").set("name", object["metadata"]["generateName"].str() + "zzzzz");
      Value& metadata = object.edit("metadata");
      metadata.set("uid", kUid);
      metadata.set("creationTimestamp", "2026-01-01T00:00:00Z");
      // Admission names the service account before validation.
      if (resource.kind == "Pod" && object["spec"].is_object() &&
          is_unset_text(object["spec"]["serviceAccountName"]))
        object.edit("spec").set("serviceAccountName", "default");
      prepare_create(resource, object, Instant::unix_seconds(1767225600));
      errors = validate_create(resource, in_storage_version(object));
    } else {
      if (object["metadata"]["resourceVersion"].is_null())
        object.edit("metadata").set("resourceVersion", old["metadata"]["resourceVersion"]);
      prepare_update(resource, object, old);
      errors = validate_update(resource, in_storage_version(object), in_storage_version(old));
    }
    if (!errors.empty()) {
      const auto storage = table_.storage(resource.stored_as);
      return errors.to_error(storage->group, storage->kind, name_of(object));
    }
    take_stored_form(resource, object);
    object.edit("metadata").set("resourceVersion", "1");
    return object;
  }

  static bool is_unset_text(const Value& value) { return value.as_string().empty(); }

  static std::string compare_objects(const Target& target, Value got, const Value& recorded) {
    Value want = json(filled(codec::to_json(recorded)));
    const bool pod = target.resource->kind == "Pod";
    strip(want, pod);
    strip(got, pod);
    // Recorded answers hide times.
    const std::string a = normal(codec::to_json(want)),
                      b = replaced(normal(codec::to_json(got)), "zzzzz", "<suffix>");
    if (a == b) return "";
    std::size_t at = 0;
    while (at < a.size() && at < b.size() && a[at] == b[at]) ++at;
    const std::size_t from = at > 80 ? at - 80 : 0;
    return "want " + a.substr(from, 220) + "\n    got  " + b.substr(from, 220);
  }

  // Only some parts of the answer are compared, null where absent.
  static std::string compare_parts(const Value& pointers, const Value& got, const Value& answer) {
    const Value want = json(filled(codec::to_json(answer["body"])));
    for (const Value& pointer : pointers.elements()) {
      const Value* at = &got;
      for (const std::string& part : split(pointer.as_string().substr(1), '/')) {
        const std::string key = replaced(replaced(part, "~1", "/"), "~0", "~");
        if (at->is_array())
          at = key == "-" ? &(*at)["-"] : &(*at)[static_cast<std::size_t>(std::stoul(key))];
        else
          at = &(*at)[key];
      }
      const Value& wanted = want[filled(pointer.str())];
      const std::string a = normal(codec::to_json(wanted));
      const std::string b = normal(codec::to_json(*at));
      if (a != b && a != "\"<ip>\"" && a != "\"<number>\"" && a != "\"<resourceVersion>\"")
        return pointer.str() + " want " + a.substr(0, 300) + "\n    got  " + b.substr(0, 300);
    }
    return "";
  }

  // Recorded answers hide times and identifiers.
  static std::string normal(const std::string& text) {
    static const std::regex time(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)");
    static const std::regex uid(
        R"(<uid-\d+>|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})");
    return std::regex_replace(std::regex_replace(text, time, "<time>"), uid, "<uid>");
  }

  const TypeTable& table_;
  std::map<std::string, Value> objects_;
  std::map<std::size_t, Value> answers_;
};

struct Count {
  int equal = 0, all = 0;
};

TEST(Golden, ApiConversations) {
  const TypeTable table;
  const char* only = std::getenv("KEELSON_GOLDEN_ONLY");
  const char* show_text = std::getenv("KEELSON_GOLDEN_SHOW");
  int show = show_text != nullptr ? std::atoi(show_text) : 0;
  std::map<std::string, Count> files, categories;
  for (const char* category : {"defaulting", "validation", "immutability"}) {
    std::vector<std::filesystem::path> paths;
    const auto folder = std::filesystem::path(KEELSON_SOURCE_DIR) / "tests/golden/api" / category;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      const std::string file = std::string(category) + '/' + path.stem().string();
      const Value recording = json(read_text(path));
      for (const Value& sequence : recording["sequences"].elements()) {
        const std::string name = sequence["name"].str();
        if (only != nullptr && name.find(only) == std::string::npos) continue;
        Player player(table);
        const auto& steps = sequence["steps"].elements();
        for (std::size_t i = 0; i < steps.size(); ++i) {
          const auto difference = player.step(sequence, steps[i], i);
          if (!difference) continue;
          for (Count* count : {&files[file], &categories[category]}) {
            ++count->all;
            if (difference->empty()) ++count->equal;
          }
          if (!difference->empty() && show-- > 0)
            std::cout << name << " step " << i << ' '
                      << codec::to_json(steps[i]["patch"]).substr(0, 200) << "\n    " << *difference
                      << '\n';
        }
      }
    }
  }
  if (show_text != nullptr)
    for (const auto& [file, count] : files)
      std::cout << file << ' ' << count.equal << '/' << count.all << '\n';
  for (const auto& [category, count] : categories)
    std::cout << category << ' ' << count.equal << " of " << count.all << " equal\n";
  if (only != nullptr) return;
  EXPECT_GE(categories["defaulting"].equal, 304);
  EXPECT_GE(categories["immutability"].equal, 642);
  EXPECT_GE(categories["validation"].equal, 4176);
}

}  // namespace
}  // namespace keelson::model
