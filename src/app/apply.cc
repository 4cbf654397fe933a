#include "app/apply.h"

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"

namespace keelson::app {
namespace {

// The field that a message of strict or typed decoding names: `unknown field "spec.foo"`,
// `.spec.foo: field not declared in schema`. Empty if it names none.
std::string field_in(const std::string& message) {
  for (const std::string_view mark : {"unknown field \"", "duplicate field \""})
    if (const std::size_t at = message.find(mark); at != std::string::npos) {
      const std::size_t start = at + mark.size();
      return message.substr(start, message.find('"', start) - start);
    }
  if (const std::size_t at = message.find(": ."); at != std::string::npos) {
    const std::size_t start = at + 3;
    return message.substr(start, message.find(": ", start) - start);
  }
  return {};
}

std::string path_of(const std::string& api_version) {
  return (api_version.find('/') == std::string::npos ? "/api/" : "/apis/") + api_version;
}

}  // namespace

std::vector<std::string> problems_of(const Manifest& manifest, const Error& error) {
  std::vector<std::string> lines;
  for (const Cause& cause : error.causes) {
    if (cause.field.empty()) continue;
    lines.push_back(manifest.place_of(cause.field) + ": " + cause.field + ": " + cause.message);
  }
  if (lines.empty()) {
    const std::string field = field_in(error.message);
    lines.push_back(manifest.place_of(field) + ": " + error.message);
  }
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
  return Error{.reason = Reason::not_found,
               .message = "no kind \"" + kind + "\" in \"" + api_version +
                          "\": is its CustomResourceDefinition missing?"};
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
    path += "/namespaces/" + (ns.empty() ? "default" : ns);
  }
  path += "/" + kind->plural;
  const std::string name(model::name_of(object));
  Client::Options options;
  std::string method = "POST", query = "?fieldManager=keelson&fieldValidation=Strict";
  if (!name.empty()) {
    method = "PATCH";
    path += "/" + name;
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
    applied.problems = problems_of(
        manifest,
        error_of_status(status.ok() ? *status : codec::Value(answer->body), answer->code));
    return applied;
  }
  applied.good = true;
  applied.created = answer->code == 201;
  return applied;
}

}  // namespace keelson::app
