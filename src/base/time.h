// Instant and Duration: nanoseconds as types of their own. Nothing here reads a clock; time is an
// argument. Text forms: RFC 3339 as in metav1.Time (whole seconds) and metav1.MicroTime; durations
// as in Go ("1h2m3.5s").
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keelson {

class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration nanoseconds(std::int64_t n) { return Duration(n); }
  static constexpr Duration microseconds(std::int64_t n) { return Duration(n * 1'000); }
  static constexpr Duration milliseconds(std::int64_t n) { return Duration(n * 1'000'000); }
  static constexpr Duration seconds(std::int64_t n) { return Duration(n * 1'000'000'000); }
  static constexpr Duration minutes(std::int64_t n) { return seconds(n * 60); }
  static constexpr Duration hours(std::int64_t n) { return seconds(n * 3600); }
  static constexpr Duration max() { return Duration(INT64_MAX); }

  constexpr std::int64_t count_nanoseconds() const { return n_; }
  constexpr std::int64_t count_milliseconds() const { return n_ / 1'000'000; }
  constexpr std::int64_t count_seconds() const { return n_ / 1'000'000'000; }
  constexpr double to_seconds() const { return static_cast<double>(n_) / 1e9; }

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration o) const { return Duration(n_ + o.n_); }
  constexpr Duration operator-(Duration o) const { return Duration(n_ - o.n_); }
  constexpr Duration operator*(std::int64_t k) const { return Duration(n_ * k); }
  constexpr Duration operator/(std::int64_t k) const { return Duration(n_ / k); }
  constexpr Duration& operator+=(Duration o) {
    n_ += o.n_;
    return *this;
  }

 private:
  constexpr explicit Duration(std::int64_t n) : n_(n) {}
  std::int64_t n_ = 0;
};

// Nanoseconds since 1970-01-01T00:00:00Z. The default value means "no time", like Go's zero time.
class Instant {
 public:
  constexpr Instant() = default;
  static constexpr Instant unix_nanoseconds(std::int64_t n) { return Instant(n); }
  static constexpr Instant unix_seconds(std::int64_t s) { return Instant(s * 1'000'000'000); }
  static constexpr Instant max() { return Instant(INT64_MAX); }

  constexpr std::int64_t unix_nanoseconds() const { return n_; }
  constexpr std::int64_t unix_seconds() const {
    return n_ >= 0 ? n_ / 1'000'000'000 : -((-n_ + 999'999'999) / 1'000'000'000);
  }
  constexpr bool is_zero() const { return n_ == INT64_MIN; }
  constexpr Instant floor_seconds() const { return unix_seconds(unix_seconds()); }

  constexpr auto operator<=>(const Instant&) const = default;
  constexpr Instant operator+(Duration d) const { return Instant(n_ + d.count_nanoseconds()); }
  constexpr Instant operator-(Duration d) const { return Instant(n_ - d.count_nanoseconds()); }
  constexpr Duration operator-(Instant o) const { return Duration::nanoseconds(n_ - o.n_); }

 private:
  constexpr explicit Instant(std::int64_t n) : n_(n) {}
  std::int64_t n_ = INT64_MIN;
};

// "2026-01-02T03:04:05Z", cut to whole seconds.
std::string to_rfc3339(Instant t);
// "2026-01-02T03:04:05.123456Z".
std::string to_rfc3339_micro(Instant t);
// Accepts any fraction and offset. nullopt if the text is no RFC 3339 time.
std::optional<Instant> parse_rfc3339(std::string_view text);

// As Go's time.Duration prints it: "0s", "1.5s", "2m0s", "1h0m0s", "100ms".
std::string to_text(Duration d);
// Accepts what Go's time.ParseDuration accepts. nullopt otherwise.
std::optional<Duration> parse_duration(std::string_view text);

}  // namespace keelson
