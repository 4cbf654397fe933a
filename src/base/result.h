// Result<T>: a value or an Error with one of a closed set of reasons. Each reason maps once, in
// api/, to a Kubernetes Status reason and an HTTP code. Expected outcomes ("unschedulable", "not
// ready yet") are verdicts with types of their own, never an Error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"

namespace keelson {

// Named as in Kubernetes' metav1.StatusReason.
enum class Reason : std::uint8_t {
  bad_request,
  unauthorized,
  forbidden,
  not_found,
  already_exists,
  conflict,
  gone,
  expired,
  invalid,
  method_not_allowed,
  not_acceptable,
  unsupported_media_type,
  request_entity_too_large,
  too_many_requests,
  server_timeout,
  timeout,
  internal_error,
  service_unavailable,
  unknown,  // a Status without a reason
};

// One entry of Status.details.causes. `type` is a metav1.CauseType such as "FieldValueInvalid".
struct Cause {
  std::string type;
  std::string field;
  std::string message;
  bool operator==(const Cause&) const = default;
};

struct Error {
  Reason reason = Reason::internal_error;
  std::string message;             // whole text, as a user reads it
  std::vector<Cause> causes = {};  // Status.details.causes
  // Status.details of the object concerned; empty where there is none.
  std::string group = {}, kind = {}, name = {}, uid = {};
  std::int64_t retry_after_seconds = 0;
  int code = 0;                     // HTTP code where it is not the reason's own; 0: the reason's
  bool details = false;             // Status.details is served even if it is empty
  std::string continue_token = {};  // Status.metadata.continue: how to go on with a list
  std::vector<std::string> warnings = {};  // that go with the refusal, as with an answer
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & {
    KEELSON_CHECK(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    KEELSON_CHECK(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    KEELSON_CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& {
    KEELSON_CHECK(!ok());
    return std::get<1>(state_);
  }
  Error&& error() && {
    KEELSON_CHECK(!ok());
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& {
    KEELSON_CHECK(!ok());
    return *error_;
  }
  Error&& error() && {
    KEELSON_CHECK(!ok());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace keelson

// TRY(decl, expression): declares `decl` from the value of a Result, or returns its Error.
#define KEELSON_JOIN2(a, b) a##b
#define KEELSON_JOIN(a, b) KEELSON_JOIN2(a, b)
#define TRY(declaration, ...)                                                                     \
  auto KEELSON_JOIN(try_, __LINE__) = (__VA_ARGS__);                                              \
  if (!KEELSON_JOIN(try_, __LINE__).ok()) return std::move(KEELSON_JOIN(try_, __LINE__)).error(); \
  declaration = std::move(KEELSON_JOIN(try_, __LINE__)).value()
// TRY_VOID(expression): for a Result<void>.
#define TRY_VOID(...) \
  if (auto try_void = (__VA_ARGS__); !try_void.ok()) return std::move(try_void).error()
