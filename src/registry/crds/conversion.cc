#include "registry/crds/conversion.h"

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "registry/webhooks/call.h"

namespace keelson::registry::crds {

namespace {

constexpr std::string_view kReviewKind = "ConversionReview";
constexpr Duration kTimeout = Duration::seconds(30);
constexpr std::size_t kObjectsMax = 250;  // in one question

// What a webhook may not change: everything of metadata but labels and annotations.
Result<Value> checked(const Value& before, Value after, const std::string& api_version) {
  const auto refuse = [](const std::string& why) {
    return Error{Reason::unknown, "returned invalid object: " + why};
  };
  if (after["apiVersion"].as_string() != api_version)
    return refuse("invalid apiVersion: expected " + api_version + ", got " +
                  after["apiVersion"].str());
  if (!(after["kind"] == before["kind"]))
    return refuse("must have the same kind: " + before["kind"].str() +
                  " != " + after["kind"].str());
  const Value &was = before["metadata"], &is = after["metadata"];
  for (const char* name : {"name", "namespace", "uid"})
    if (was[name].as_string() != is[name].as_string())
      return refuse(std::string("must have the same ") + name + ": " + was[name].str() +
                    " != " + is[name].str());
  if (!is.is_object()) return refuse("metadata of converted object is missing");
  Value metadata = was;
  for (const char* name : {"labels", "annotations"}) {
    metadata.erase(name);
    if (is.has(name)) metadata.set(name, is[name]);
  }
  after.set("metadata", std::move(metadata));
  return after;
}

// The first version of the review that the webhook and we know.
std::string review_version(const Value& webhook) {
  for (const Value& one : webhook["conversionReviewVersions"].elements())
    if (one.as_string() == "v1" || one.as_string() == "v1beta1")
      return "apiextensions.k8s.io/" + one.str();
  return "apiextensions.k8s.io/v1";
}

// `failed`: what went wrong, after "conversion webhook for KIND ".
Result<std::vector<Value>> ask(Registry::State& state, const model::Resource& to,
                               const std::vector<Value>& objects) {
  const Value& webhook = to.definition["conversion"]["webhook"];
  const std::string api = review_version(webhook), wanted = to.api_version();
  const std::string from(model::api_version_of(objects.front()));
  const std::string head = "conversion webhook for " + from + ", Kind=" + to.kind + " ";
  const auto fail = [&](const std::string& why) { return Error{Reason::unknown, head + why}; };
  Value list = Value::array();
  for (const Value& one : objects) list.push_back(one);
  if (state.exchange == nullptr) return fail("failed: not possible from here");
  const std::string question =
      "convert\n" + wanted + codec::to_json(webhook) + codec::to_json(list);
  const Exchange::Answer* answer = state.exchange->ask(question, [&](const std::string& uid) {
    const Value review = Value::object(
        {{"kind", kReviewKind},
         {"apiVersion", api},
         {"request",
          Value::object({{"uid", uid}, {"desiredAPIVersion", wanted}, {"objects", list}})}});
    return webhooks::call_of(state, webhook["clientConfig"], kTimeout, codec::to_json(review));
  });
  if (answer == nullptr) return Exchange::waiting();
  const auto review = webhooks::review_of(answer->reply, kReviewKind, api);
  if (!review.ok()) return fail("failed: " + review.error().message);
  const Value& response = (*review)["response"];
  if (response.is_null()) return fail("failed: no response provided");
  if (response["uid"].as_string() != answer->uid && api.ends_with("/v1"))
    return fail("failed: expected response.uid=" + quote(answer->uid) + ", got " +
                quote(response["uid"].as_string()));
  const Value& result = response["result"];
  if (result["status"].as_string() != "Success")
    return fail("failed: " +
                (result["message"].as_string().empty()
                     ? "unexpected response with status " + quote(result["status"].as_string())
                     : result["message"].str()));
  const Value& converted = response["convertedObjects"];
  if (converted.size() != objects.size())
    return fail("returned " + std::to_string(converted.size()) + " objects, expected " +
                std::to_string(objects.size()));
  std::vector<Value> out;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    auto one = checked(objects[i], converted[i], wanted);
    if (!one.ok()) return fail(one.error().message);
    out.push_back(std::move(*one));
  }
  return out;
}

}  // namespace

Result<std::vector<Value>> convert_objects(Registry::State& state, const model::Resource& to,
                                           std::vector<Value> objects) {
  if (to.definition["conversion"]["strategy"].as_string() != "Webhook") {
    for (Value& object : objects) object.set("apiVersion", to.api_version());
    return objects;
  }
  std::vector<Value> out;
  for (std::size_t at = 0; at < objects.size(); at += kObjectsMax) {
    const std::vector<Value> part(
        objects.begin() + static_cast<std::ptrdiff_t>(at),
        objects.begin() + static_cast<std::ptrdiff_t>(std::min(objects.size(), at + kObjectsMax)));
    TRY(std::vector<Value> converted, ask(state, to, part));
    out.insert(out.end(), converted.begin(), converted.end());
  }
  return out;
}

}  // namespace keelson::registry::crds
