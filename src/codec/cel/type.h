// The types of the CEL checker. Types are shared and immutable. A declared object type carries its
// fields; lists, maps and texts may carry how large they can become, which only the estimate of
// costs reads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::codec::cel {

struct Type;
using TypePtr = std::shared_ptr<const Type>;

struct Type {
  enum class Kind : std::uint8_t {
    dyn,
    error,
    null,
    boolean,
    integer,
    unsigned_integer,
    number,
    string,
    bytes,
    timestamp,
    duration,
    list,
    map,
    type,       // the type of types; a parameter where it is known which
    parameter,  // A, B in a declaration
    opaque,     // optional_type, net.IP
    object,     // with fields
  };
  Kind kind = Kind::dyn;
  std::string name;
  std::vector<TypePtr> parameters = {};
  std::map<std::string, TypePtr, std::less<>> fields = {};
  std::int64_t elements_max = -1;  // of a list or map, characters of a text; -1: not known
  // The least bytes that a value takes in a request.
  std::int64_t serialized_min = 1;
  bool open = false;            // an object that has any field, of any type
  bool is_object_type = false;  // an opaque type that is declared as an object, such as Quantity
};

const TypePtr& dyn_type();
const TypePtr& error_type();
const TypePtr& null_type();
const TypePtr& bool_type();
const TypePtr& int_type();
const TypePtr& uint_type();
const TypePtr& double_type();
const TypePtr& string_type();
const TypePtr& bytes_type();
const TypePtr& timestamp_type();
const TypePtr& duration_type();
const TypePtr& type_type();
TypePtr list_of(TypePtr element, std::int64_t elements_max = -1);
TypePtr map_of(TypePtr key, TypePtr value, std::int64_t elements_max = -1);
TypePtr type_of(TypePtr parameter);
TypePtr parameter(std::string name);
TypePtr opaque_type(std::string name, std::vector<TypePtr> parameters = {});
// A library's type that the original declares as an object, not as an opaque type.
TypePtr object_type(std::string name);
TypePtr optional_of(TypePtr parameter);

bool same_type(const Type& a, const Type& b);
bool is_optional(const Type& type);
// "list(int)", "timestamp", "kubernetes.Quantity", as messages quote it.
std::string to_text(const Type& type);
// "(int, string)", or "int.(string)" for members.
std::string signature(const std::vector<TypePtr>& arguments, bool member);

}  // namespace keelson::codec::cel
