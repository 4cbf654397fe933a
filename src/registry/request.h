// What comes in to the registry and what goes out, for every verb of the Kubernetes API. Plain
// data: HTTP fills a Request from a URL, headers and a body that it decoded (JSON, YAML or
// protobuf); controllers fill one from a cluster::Write. Neither knows the other.
//
// Nothing here depends on a connection, a media type of the wire, or a thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/json.h"
#include "codec/value.h"

namespace keelson::registry {

using codec::Value;

// Who asks. Authentication has been done; the groups are complete ("system:authenticated").
struct Identity {
  std::string user, uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
  bool in_group(std::string_view group) const;
};

// Verbs as in authorization ("deletecollection" is remove_collection).
enum class Verb : std::uint8_t {
  get,
  list,
  watch,
  create,
  update,
  patch,
  remove,
  remove_collection,
  connect  // admission of exec, attach, portforward and proxy alone; their options are the body
};
enum class PatchType : std::uint8_t { json, merge, strategic, apply };

// Query parameters, as text where Kubernetes words errors about the text itself. Empty: not given.
// remove and remove_collection take theirs from a DeleteOptions body too; the registry merges them.
struct Options {
  // Writes. A parameter that stands twice is refused by Kubernetes only for dryRun.
  std::vector<std::string> dry_run;  // {"All"}; an empty element is an error of the client
  std::string field_manager;
  std::string field_manager_default;  // from the User-Agent, cut as Kubernetes does
  std::string field_validation;       // "Strict", "Warn", "Ignore"
  std::optional<bool> force;          // apply
  // Deletes.
  std::optional<std::int64_t> grace_seconds;
  std::string propagation;
  bool propagation_given = false;  // as an empty text, which is refused
  std::optional<bool> orphan_dependents;
  std::string precondition_uid, precondition_revision;
  // Reads.
  std::string label_selector, field_selector;
  std::string revision;        // resourceVersion
  std::string revision_match;  // resourceVersionMatch
  std::int64_t limit = 0;
  std::string continue_token;
  bool allow_bookmarks = false;
  std::optional<bool> send_initial_events;
  std::optional<std::int64_t> timeout_seconds;
  bool watch_path = false;  // by the deprecated /watch/ path: no bookmark ends its initial events
};

// In which form objects are answered: as themselves, as meta.k8s.io Table (kubectl get), or as
// PartialObjectMetadata(List). The registry answers in that form; watch events too.
struct Form {
  // partial_list is what no watch event can become: such a watch says nothing, as the original's.
  enum class Kind : std::uint8_t { object, table, partial, partial_list };
  Kind kind = Kind::object;
  std::string version = "v1";               // of meta.k8s.io: "v1" or "v1beta1"
  std::string include_object = "Metadata";  // of a Table's rows: "None", "Metadata", "Object"
};

struct Request {
  Verb verb = Verb::get;
  std::string group, version, resource;  // "apps", "v1", "deployments" (plural, as in the URL)
  std::string namespace_, name, subresource;
  // The decoded body. An Error stands for a body that could not be parsed; it is answered at the
  // point where Kubernetes would (a PATCH of a missing object is 404 all the same). A null value:
  // no body.
  Result<codec::JsonDocument> body = codec::JsonDocument{};
  std::string body_text;  // as it came, if it came as JSON; some messages quote it
  PatchType patch_type = PatchType::merge;
  Options options;
  Form form;
  Identity identity;
  // Where admission leaves what it has to say to the audit log; null: nobody listens.
  std::shared_ptr<std::map<std::string, std::string>> annotations = {};

  bool dry() const { return !options.dry_run.empty(); }
};

// An object as a value, as bytes to be served, or both; what is missing is made on first use. Bytes
// begin with {"apiVersion":...,"kind":... in this order, so that the type can be cut off: typed
// lists of Kubernetes carry none in their items.
class Object {
 public:
  Object() = default;
  explicit Object(Value value) : value_(std::move(value)) {}
  // The bytes live as long as `owner`; `value` may be null: parsed on first use.
  Object(std::shared_ptr<const void> owner, std::string_view bytes, Value value = {})
      : value_(std::move(value)), owner_(std::move(owner)), bytes_(bytes) {}
  const Value& value() const;
  std::string_view bytes() const;
  std::string_view untyped_bytes(std::string& buffer) const;  // may point into buffer
  bool empty() const { return bytes_.empty() && value_.is_null(); }

 private:
  mutable Value value_;
  mutable std::shared_ptr<const void> owner_;
  mutable std::string_view bytes_;
};
// JSON with apiVersion and kind first.
std::string to_object_json(const Value& object);

// The answer to a request that succeeded.
struct Response {
  int code = 200;  // 201 for what was created, 202 for a delete that waits
  // The object, Status, Table or, for a list, the envelope: apiVersion, kind and metadata, without
  // items.
  Object object;
  bool is_list = false;
  std::vector<Object> items;  // of a list, in order; complete with apiVersion and kind
  bool items_typed = false;   // the items are served with apiVersion and kind (custom resources)
  bool items_null = false;    // an empty PartialObjectMetadataList says "items": null
  // The store's revision that this answer includes. A write must be durable up to it before the
  // answer leaves (store: on_durable).
  std::int64_t revision = 0;
  std::vector<std::string> warnings;  // texts of Warning headers, in order
  // The whole answer as one JSON text, lists with their items.
  std::string json() const;
};

struct WatchEvent {
  enum class Type : std::uint8_t { added, modified, deleted, bookmark, error };
  Type type = Type::added;
  Object
      object;  // of deleted: the last state, with the revision of the deletion; of error: a Status
  std::int64_t revision = 0;
};
std::string_view to_text(WatchEvent::Type type);  // "ADDED"

}  // namespace keelson::registry
