#include "app/apply.h"

#include "base/text.h"
#include "codec/json.h"
#include "model/field_problems.h"
#include "model/meta.h"

namespace keelson::app {
namespace {

std::string path_of(const std::string& api_version) {
  return (api_version.find('/') == std::string::npos ? "/api/" : "/apis/") + api_version;
}

}  // namespace

std::vector<std::string> problems_of(const Manifest& manifest, const Error& error) {
  std::vector<std::string> lines;
  for (const model::FieldProblem& problem : model::field_problems(error, manifest.object))
    lines.push_back(manifest.place_of(problem.field) + ": " +
                    (problem.field.empty() ? "" : problem.field + ": ") + problem.message);
  return lines;
}

Result<Applier::Kind> Applier::find(const std::string& api_version, const std::string& kind) {
  const auto known = kinds_.find({api_version, kind});
  if (known != kinds_.end()) return known->second;
  auto list = client_.get(path_of(api_version));
  if (!list.ok() && list.error().reason != Reason::not_found) return list.error();
  if (list.ok())
    for (const codec::Value& resource : (*list)["resources"].elements())
      if (resource["name"].as_string().find('/') == std::string_view::npos)
        kinds_[{api_version, resource["kind"].str()}] = {resource["name"].str(),
                                                         resource["namespaced"].as_bool()};
  const auto found = kinds_.find({api_version, kind});
  if (found != kinds_.end()) return found->second;
  const std::string known_as = similar_kind(kind);
  return Error{.reason = Reason::not_found,
               .message = "no kind \"" + kind + "\" in \"" + api_version + "\": " +
                          (known_as.empty() ? "is its CustomResourceDefinition missing?"
                                            : "did you mean " + known_as + "?")};
}

// What is served under this name in another group, version or spelling: "Ingress of
// networking.k8s.io/v1". Reads all of discovery: for errors only.
std::string Applier::similar_kind(const std::string& kind) {
  std::vector<std::string> versions = {"v1"};
  const auto groups = client_.get("/apis");
  if (groups.ok())
    for (const codec::Value& group : (*groups)["groups"].elements())
      versions.push_back(group.at("preferredVersion.groupVersion").str());
  for (const std::string& version : versions) {
    const auto list = client_.get(path_of(version));
    if (!list.ok()) continue;
    for (const codec::Value& resource : (*list)["resources"].elements()) {
      const std::string name = resource["name"].str(), served = to_lower(resource["kind"].str());
      if (name.find('/') == std::string::npos &&
          (served == to_lower(kind) || served + "s" == to_lower(kind) || name == to_lower(kind)))
        return resource["kind"].str() + " of " + version;
    }
  }
  return {};
}

Applied Applier::apply(const Manifest& manifest) {
  Applied applied;
  const codec::Value& object = manifest.object;
  auto kind = find(object["apiVersion"].str(), object["kind"].str());
  if (!kind.ok()) {
    applied.problems.push_back(manifest.place_of("kind") + ": " + kind.error().message);
    return applied;
  }
  std::string path = path_of(object["apiVersion"].str());
  if (kind->namespaced) {
    const std::string ns(model::namespace_of(object));
    path += "/namespaces/" + (ns.empty() ? "default" : path_segment(ns));
  }
  path += "/" + kind->plural;
  const std::string name(model::name_of(object));
  Client::Options options;
  std::string method = "POST", query = "?fieldManager=keelson&fieldValidation=Strict";
  if (!name.empty()) {
    method = "PATCH";
    path += "/" + path_segment(name);
    query += "&force=true";
    options.content_type = "application/apply-patch+yaml";
  }
  auto answer = client_.request(method, path + query, codec::to_json(object), options);
  if (!answer.ok()) {
    applied.problems.push_back(manifest.place_of("") + ": " + answer.error().message);
    return applied;
  }
  if (answer->code >= 300) {
    const auto status = codec::parse_json(answer->body);
    Error error = error_of_status(status.ok() ? *status : codec::Value(answer->body), answer->code);
    // Of all that may be missing here it is the namespace.
    if (error.reason == Reason::not_found && error.message.starts_with("namespaces "))
      error.causes = {{"", "metadata.namespace", error.message}};
    applied.problems = problems_of(manifest, error);
    return applied;
  }
  applied.good = true;
  applied.created = answer->code == 201;
  return applied;
}

}  // namespace keelson::app
