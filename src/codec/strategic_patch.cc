// Strategic merge patch. The order of steps is that of apimachinery's mergeMap, because a patch
// that is wrong in several ways must fail in the same one; the original walks its maps at random,
// here members come sorted, so directives ("$...") are done before fields.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/text.h"
#include "codec/go_text.h"
#include "codec/patch.h"

namespace keelson::codec {
namespace {

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kElementOrder = "$setElementOrder";
constexpr std::string_view kDeleteFromList = "$deleteFromPrimitiveList";

Error plain(std::string message) {
  return Error{.reason = Reason::unknown, .message = std::move(message)};
}
Error bad_format(std::string_view what) {
  return Error{.reason = Reason::bad_request,
               .message = "invalid patch format of " + std::string(what)};
}
Error no_merge_key(const Value& map, std::string_view key) {
  return plain("map: " + go_text(map) +
               " does not contain declared merge key: " + std::string(key));
}
Error bad_argument(std::string_view expected, const Value& actual) {
  // A nil type is printed as Go prints a missing operand.
  const std::string found = actual.is_null() ? "%!s(<nil>)" : std::string(go_type(actual));
  return plain("expected a " + std::string(expected) + ", but received a " + found);
}
Error bad_directive(const Value& directive, const Value& map) {
  const std::string text = directive.is_string() ? directive.str()
                                                 : "%!s(" + std::string(go_type(directive)) + "=" +
                                                       go_text(directive) + ")";
  return plain("unknown patch type: " + text + " in map: " + go_text(map));
}

constexpr std::string_view kGoList = "[]interface {}";
constexpr std::string_view kGoMap = "map[string]interface {}";

// Whether Go gives both the same type; 1 and 1.0 have different ones.
bool same_type(const Value& a, const Value& b) {
  return a.kind() == b.kind() && !a.is_null();
}

// Members of a structure or map by their type. `use` is null where nothing is known (maps of plain
// values, free-form objects).
struct Schema {
  const Type* type = nullptr;

  Result<const Use*> member(std::string_view key) const {
    static const Use nothing;
    if (type != nullptr && type->shape == Shape::structure)
      if (const Field* field = type->field(key)) return field;
    if (type != nullptr && type->shape == Shape::map) return &type->element;
    if (type != nullptr && type->shape == Shape::scalar)
      return plain("merging an object in json but data type is not struct, instead is: string");
    std::string name = type == nullptr || type->name.empty() ? "RawExtension" : type->name;
    name.erase(0, name.rfind('.') + 1);
    return plain("unable to find api field in struct " + name + " for the json field " +
                 quote(key));
  }
};

Schema schema_of(const Use* use) {
  return {use->type};
}
Schema elements_of(const Use* use) {
  if (use->type == nullptr || use->type->shape != Shape::list) return {use->type};
  return {use->type->element.type};
}

// What to put in the place of something that a patch adds as a whole: without directives.
struct Kept {
  Value value;
  bool keep = true;
};
Kept without_directives(const Value& value) {
  if (value.is_array()) {
    Array elements;
    for (const Value& element : value.elements())
      if (Kept kept = without_directives(element); kept.keep)
        elements.push_back(std::move(kept.value));
    return {Value(std::move(elements))};
  }
  if (!value.is_object()) return {value};
  if (value.has(kDirective)) return {{}, false};
  std::vector<Member> members;
  for (const Member& m : value.members())
    if (Kept kept = without_directives(m.value); kept.keep)
      members.push_back({m.key_value, std::move(kept.value)});
  return {Value::object_of(std::move(members))};
}

void put(Value& object, std::string_view key, const Value& added) {
  Kept kept = without_directives(without_nulls(added));
  if (kept.keep)
    object.set(key, std::move(kept.value));
  else
    object.erase(key);
}

// The common Go type of all elements, as a sample; null elements do not count.
Result<Value> sample_of(const Array& first, const Array& second) {
  const Value* sample = nullptr;
  for (const Array* list : {&first, &second}) {
    for (const Value& element : *list) {
      if (sample == nullptr) {
        if (element.is_array())
          return Error{.reason = Reason::invalid,
                       .message = "the server rejected our request due to an error in our request",
                       .details = true};
        sample = &element;
      } else if (sample->kind() != element.kind()) {
        return plain("list element types are not identical: " +
                     go_text(Value::array({Value(first), Value(second)})));
      }
    }
  }
  if (sample == nullptr) return plain("no elements in any of the given slices");
  return *sample;
}

// What identifies an element: the value of its merge key, or the element itself.
const Value& identity(const Value& element, std::string_view key) {
  return element.is_object() && !key.empty() ? element[key] : element;
}

std::ptrdiff_t rank(const Array& order, const Value& element, std::string_view key) {
  const Value& sought = identity(element, key);
  const auto found = std::find_if(order.begin(), order.end(), [&](const Value& candidate) {
    return identity(candidate, key) == sought;
  });
  return found == order.end() ? -1 : found - order.begin();
}

Result<void> check_keys(const Array& list, std::string_view key) {
  for (const Value& element : list) {
    if (!element.is_object()) return bad_argument(kGoMap, element);
    if (!element.has(key)) return no_merge_key(element, key);
  }
  return {};
}

// Sorts by the place in `order`. Elements that are not there move ahead of those before them, as
// the original's comparison has it.
Result<Array> sorted_by(Array list, const Array& order, std::string_view key, bool maps) {
  Array removed;
  if (maps) {
    TRY_VOID(check_keys(list, key));
    TRY_VOID(check_keys(order, key));
    const auto first = std::stable_partition(list.begin(), list.end(), [](const Value& element) {
      return element[kDirective].as_string() != "delete";
    });
    removed.assign(first, list.end());
    list.erase(first, list.end());
  }
  std::vector<std::pair<std::ptrdiff_t, std::size_t>> places;
  for (std::size_t i = 0; i < list.size(); ++i) places.emplace_back(rank(order, list[i], key), i);
  const bool known =
      std::all_of(places.begin(), places.end(), [](const auto& place) { return place.first >= 0; });
  if (known) {
    std::stable_sort(places.begin(), places.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  } else {
    for (std::size_t i = 1; i < places.size(); ++i)
      for (std::size_t j = i; j > 0; --j) {
        const auto before = places[j].first, after = places[j - 1].first;
        if (before >= 0 && after >= 0 && before >= after) break;
        std::swap(places[j], places[j - 1]);
      }
  }
  Array out;
  for (const auto& place : places) out.push_back(std::move(list[place.second]));
  out.insert(out.end(), removed.begin(), removed.end());
  return out;
}

// Elements named by the patch come in the patch's order, the others in the server's; where both
// lists meet, the server's order decides.
Result<Value> in_order(const Array& merged, const Array& patch_order, const Array& server_order,
                       std::string_view key, bool maps) {
  Array from_patch, from_server;
  for (const Value& element : merged) {
    if (!key.empty()) {
      if (!element.is_object()) return bad_argument(kGoMap, element);
      if (!element.has(key)) return no_merge_key(element, key);
    }
    (rank(patch_order, element, key) >= 0 ? from_patch : from_server).push_back(element);
  }
  TRY(from_patch, sorted_by(std::move(from_patch), patch_order, key, maps));
  TRY(from_server, sorted_by(std::move(from_server), server_order, key, maps));
  std::vector<std::ptrdiff_t> ranks;
  for (const Value& element : from_patch) ranks.push_back(rank(server_order, element, key));
  Array out;
  std::size_t i = 0;
  for (std::size_t j = 0; j < from_patch.size(); ++j) {
    for (; i < from_server.size(); ++i) {
      const std::ptrdiff_t left = rank(server_order, from_server[i], key);
      if (left < 0 || ranks[j] < 0 || left >= ranks[j]) break;
      out.push_back(from_server[i]);
    }
    out.push_back(from_patch[j]);
  }
  out.insert(out.end(), from_server.begin() + static_cast<std::ptrdiff_t>(i), from_server.end());
  return Value(std::move(out));
}

// Keeps the first of equal scalars; the last one of the list moves into the gap.
Array without_repeats(Array list) {
  for (std::size_t i = 0; i + 1 < list.size(); ++i) {
    for (std::size_t j = i + 1; j < list.size();) {
      if (list[i].kind() == list[j].kind() && list[i] == list[j]) {
        list[j] = list.back();
        list.pop_back();
      } else {
        ++j;
      }
    }
  }
  return list;
}

Result<Value> merge_map(const Value& original, const Value& patch, Schema schema);

// The elements that a patch adds or changes, after its directives were done to `original`.
Result<Array> do_element_directives(Array& original, const Array& patch, std::string_view key) {
  Array rest;
  bool replace = false;
  for (const Value& element : patch) {
    const Value* directive = element.find(kDirective);
    if (directive == nullptr) {
      rest.push_back(element);
    } else if (*directive == Value("delete")) {
      if (!element.has(key)) return no_merge_key(element, key);
      for (const Value& known : original)
        if (!known.is_object())
          return plain("value for key " + std::to_string(&known - original.data()) +
                       " is not a map");
      const Value& name = element[key];
      original.erase(
          std::remove_if(original.begin(), original.end(),
                         [&](const Value& known) { return known.has(key) && known[key] == name; }),
          original.end());
    } else if (*directive == Value("replace")) {
      replace = true;
    } else if (*directive == Value("merge")) {
      return plain("merging lists cannot yet be specified in the patch");
    } else {
      return bad_directive(*directive, element);
    }
  }
  if (!replace) return rest;
  original = std::move(rest);
  return Array{};
}

Result<Value> merge_list(const Value& original_value, const Value& patch_value, Schema schema,
                         std::string_view key, bool deleting) {
  Array original = original_value.elements();
  if (original.empty() && patch_value.empty()) return original_value;
  TRY(const Value sample, sample_of(original, patch_value.elements()));
  Array patch = patch_value.elements();
  Array merged;
  if (!sample.is_object()) {
    if (deleting) {
      for (const Value& element : original)
        if (rank(patch, element, {}) < 0) merged.push_back(element);
      return Value(std::move(merged));
    }
    merged = original;
    merged.insert(merged.end(), patch.begin(), patch.end());
    merged = without_repeats(std::move(merged));
    return in_order(merged, patch, original, key, false);
  }
  if (key.empty()) return plain("cannot merge lists without merge key for struct");
  TRY(patch, do_element_directives(original, patch, key));
  merged = original;
  for (const Value& element : patch) {
    if (!element.has(key)) return no_merge_key(element, key);
    const std::ptrdiff_t at = rank(merged, element, key);
    if (at < 0) {
      merged.push_back(element);
    } else {
      Value& known = merged[static_cast<std::size_t>(at)];
      TRY(known, merge_map(known, element, schema));
    }
  }
  return in_order(merged, patch, original, key, true);
}

Result<void> retain_keys(Value& object, Value& patch) {
  const Value* directive = patch.find(kRetainKeys);
  if (directive == nullptr) return {};
  const Value keys = *directive;
  patch.erase(kRetainKeys);
  if (!keys.is_array()) return bad_format("retainKeys");
  const auto retained = [&](std::string_view key) {
    return std::find(keys.elements().begin(), keys.elements().end(), Value(key)) !=
           keys.elements().end();
  };
  for (const Member& m : patch.members()) {
    if (m.value.is_null() || m.key().substr(0, kDeleteFromList.size()) == kDeleteFromList ||
        m.key().substr(0, kElementOrder.size()) == kElementOrder)
      continue;
    if (!retained(m.key())) return bad_format("retainKeys");
  }
  const std::vector<Member> members = object.members();
  for (const Member& m : members)
    if (!retained(m.key())) object.erase(m.key());
  return {};
}

// The elements of the patch must stand in the order of the directive and be named there.
Result<void> check_order(const Array& patch, const Array& order, std::string_view key) {
  if (order.empty() || patch.empty()) return {};
  std::size_t i = 0, j = 0;
  Array kept;
  for (const Value& element : patch) {
    if (!key.empty() && !element.is_object()) return bad_argument(kGoMap, element);
    if (element[kDirective].as_string() != "delete") kept.push_back(element);
  }
  while (i < kept.size() && j < order.size()) {
    if (kept[i].has(kDirective)) {
      ++i;
      continue;
    }
    for (const Value* side : {static_cast<const Value*>(&kept[i]), &order[j]}) {
      if (key.empty()) continue;
      if (!side->is_object()) return bad_argument(kGoMap, *side);
      if (!side->has(key)) return no_merge_key(*side, key);
    }
    if (identity(kept[i], key) == identity(order[j], key)) ++i;
    ++j;
  }
  if (i >= kept.size()) return {};
  return plain("The order in patch list:\n" + go_text(Value(patch)) + "\n doesn't match " +
               std::string(kElementOrder) + " list:\n" + go_text(Value(order)) + "\n");
}

// One $setElementOrder directive, together with the list that it orders.
Result<void> set_order(Value& object, Value& patch, std::string_view directive,
                       const Value& order_value, Schema schema) {
  if (!order_value.is_array()) return bad_argument(kGoList, order_value);
  if (directive.size() <= kElementOrder.size() || directive[kElementOrder.size()] != '/')
    return bad_format("setElementOrder list");
  const std::string_view name = directive.substr(kElementOrder.size() + 1);
  const Value* known = object.find(name);
  const Value* added = patch.find(name);
  for (const Value* list : {known, added})
    if (list != nullptr && !list->is_array()) return bad_argument(kGoList, *list);
  TRY(const Use* use, schema.member(name));
  const Array& order = order_value.elements();
  const Array original = known != nullptr ? known->elements() : Array{};
  const Array changes = added != nullptr ? added->elements() : Array{};
  TRY_VOID(check_order(changes, order, use->merge_key));
  if (known == nullptr && added == nullptr) return {};
  Value merged;
  if (added == nullptr) {
    merged = *known;
  } else if (known == nullptr) {
    merged = without_directives(*added).value;
  } else if (use->patch_merge) {
    TRY(merged, merge_list(*known, *added, elements_of(use), use->merge_key, false));
  } else {
    merged = *added;
  }
  if (!use->merge_key.empty()) {
    for (const Value& element : order)
      if (!element.is_object()) return plain("value for key 0 is not a map");
  }
  TRY(const Value sample, sample_of(original, changes));
  TRY(Value ordered,
      in_order(merged.elements(), order, original, use->merge_key, sample.is_object()));
  object.set(name, std::move(ordered));
  patch.erase(name);
  return {};
}

Result<void> merge_member(Value& object, std::string_view name, const Value& change,
                          Schema schema) {
  std::string_view key = name;
  bool deleting = false;
  if (name.substr(0, kDeleteFromList.size()) == kDeleteFromList) {
    if (name.size() <= kDeleteFromList.size() || name[kDeleteFromList.size()] != '/')
      return bad_format("primitive list");
    key.remove_prefix(kDeleteFromList.size() + 1);
    deleting = true;
  }
  if (change.is_null()) {
    object.erase(key);
    return {};
  }
  const Value* known = object.find(key);
  if (known == nullptr || !same_type(*known, change)) {
    if (!deleting) put(object, key, change);
    return {};
  }
  if (change.is_object()) {
    TRY(const Use* use, schema.member(key));
    if (use->patch_replace) {
      object.set(key, change);
    } else {
      TRY(Value merged, merge_map(*known, change, schema_of(use)));
      object.set(key, std::move(merged));
    }
  } else if (change.is_array()) {
    TRY(const Use* use, schema.member(key));
    if (use->patch_merge || deleting) {
      TRY(Value merged, merge_list(*known, change, elements_of(use), use->merge_key, deleting));
      object.set(key, std::move(merged));
    } else {
      object.set(key, change);
    }
  } else {
    object.set(key, change);
  }
  return {};
}

Result<Value> merge_map(const Value& original, const Value& patch_value, Schema schema) {
  if (const Value* directive = patch_value.find(kDirective)) {
    if (*directive == Value("delete")) return Value::object();
    if (*directive != Value("replace")) return bad_directive(*directive, patch_value);
    Value replacement = patch_value;
    replacement.erase(kDirective);
    return replacement;
  }
  Value object = original.is_null() ? Value::object() : original;
  Value patch = patch_value;
  TRY_VOID(retain_keys(object, patch));
  const std::vector<Member> directives = patch.members();
  for (const Member& m : directives) {
    if (m.key().substr(0, kElementOrder.size()) != kElementOrder) continue;
    patch.erase(m.key());
    TRY_VOID(set_order(object, patch, m.key(), m.value, schema));
  }
  for (const Member& m : patch.members()) TRY_VOID(merge_member(object, m.key(), m.value, schema));
  return object;
}

}  // namespace

Result<Value> apply_strategic_patch(const Value& object, const Value& patch, const Type& type) {
  if (patch.is_null()) return object;
  if (!patch.is_object())
    return Error{.reason = Reason::bad_request,
                 .message = "json: cannot unmarshal " + std::string(json_noun(patch)) +
                            " into Go value of type map[string]interface {}"};
  return merge_map(object, patch, {&type});
}

}  // namespace keelson::codec
