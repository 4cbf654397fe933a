// What the write path does with an object, in the order in which a server does it:
//
//   TRY(auto decoded, decode(*resource, document, FieldValidation::strict));
//   apply_defaults(*resource, decoded.object);
//   prepare_create(*resource, object, now);                        // or
//   prepare_update(*resource, object, old);
//   FieldErrors errors = validate_create(*resource, object);       // or
//   FieldErrors errors = validate_update(*resource, object, old);
//   if (!errors.empty()) return errors.to_error(storage->group, storage->kind, name);
//
// All of it is pure: no store, no clock, no admission.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "codec/json.h"
#include "codec/value.h"
#include "model/field_error.h"
#include "model/types.h"

namespace keelson::model {

enum class FieldValidation : std::uint8_t { ignore, warn, strict };

struct Decoded {
  codec::Value object;                // pruned and normalised, with apiVersion and kind
  std::vector<std::string> warnings;  // texts of Warning headers, in order
};

// Reads an object of this resource (or of a subresource's type) as Kubernetes' typed decoder does:
// unknown fields are dropped, empty ones too unless the type serves them, quantities and times are
// rewritten. Field names are case-sensitive. Errors are bad_request: type errors in Go's words,
// and with `strict` "strict decoding error: unknown field \"spec.foo\"".
// `source`, if at hand, is the text that the document was read from: some errors quote it, and
// several strict errors come in its order.
Result<Decoded> decode(const Resource& resource, const codec::JsonDocument& document,
                       FieldValidation validation, std::string_view source = {});
// The body of a subresource or of a request that is no resource.
Result<Decoded> decode(const codec::Type& type, std::string_view group, std::string_view version,
                       std::string_view kind, const codec::JsonDocument& document,
                       FieldValidation validation, std::string_view source = {});
// What the original says of a body that is no JSON at all; `why` is the JSON parser's message.
Error not_json(std::string_view kind, std::string_view why, std::string_view source);
// Normalises an object that was put together rather than read (a patch's result): as decode without
// looking at apiVersion and kind.
Result<Decoded> decode_value(const Resource& resource, const codec::Value& object,
                             FieldValidation validation);

// The conditional and static defaults of the original, idempotent.
void apply_defaults(const Resource& resource, codec::Value& object);

// What the original's internal types make of a decoded and defaulted object: aliases agree, a
// Secret's stringData is folded into data. Before field owners are found.
void take_internal_form(const Resource& resource, codec::Value& object);

// Rules on metadata and on the kind. `resource` is the one asked for (events are checked
// differently through their two groups); the objects are decoded, defaulted and prepared, in
// storage version.
FieldErrors validate_create(const Resource& resource, const codec::Value& object);
FieldErrors validate_update(const Resource& resource, const codec::Value& object,
                            const codec::Value& old);
// Through /status: other rules for some kinds.
FieldErrors validate_status_update(const Resource& resource, const codec::Value& object,
                                   const codec::Value& old);
// Through another subresource that writes a part of its object: approval, ephemeralcontainers,
// finalize, resize. Kinds and subresources without such rules have no errors.
FieldErrors validate_part_update(const Resource& resource, std::string_view subresource,
                                 const codec::Value& object, const codec::Value& old);

// What allocation asks of a Service's cluster addresses and their families before it looks at them.
FieldErrors validate_service_addresses(const codec::Value& service);

// What the original's strategies do before validation. On creation status is dropped, generation
// set, and what the kind derives from itself filled in (a Job's selector: uid must be set). On
// update status and the system's metadata are kept from the old object, and a change of spec raises
// the generation; through /status everything but status is kept.
void prepare_create(const Resource& resource, codec::Value& object, Instant now);
// Annotations of AppArmor become fields, as on the way into the original; called for a new pod
// before prepare_create. The warnings about annotations that say more than the fields.
std::vector<std::string> adopt_app_armor(codec::Value& pod);
// What such an annotation says, as the field would; null if it says nothing that is known.
codec::Value app_armor_profile_of(std::string_view annotation);
// The class of service of a pod with this spec: "Guaranteed", "Burstable", "BestEffort".
std::string_view quality_of(const codec::Value& pod_spec);
void prepare_update(const Resource& resource, codec::Value& object, const codec::Value& old);
void prepare_status_update(const Resource& resource, codec::Value& object, const codec::Value& old);

// What storing an object and reading it again makes of it. A list that was sent empty becomes one
// that was not sent; decoding keeps the difference for lists that are always served and for those
// whose type says so ("*[]").
void take_stored_form(const Resource& resource, codec::Value& object);

// What EndpointSlices said of places before v1. Dropped before validation; on update only after it
// has raised the generation.
void drop_old_topology(codec::Value& slice);

// The object in another version of the same kind; unchanged if the kind has one version only.
Result<codec::Value> convert(const Resource& from, const Resource& to, const codec::Value& object);

}  // namespace keelson::model
