// Go's time.Parse walks layout and text in step and names the piece of the layout that did not fit.
#include "model/go_time.h"

#include <optional>

#include "base/text.h"
#include "base/time.h"

namespace keelson::model {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int days_in(int month, int year) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

class GoTime {
 public:
  GoTime(std::string_view text, bool micro) : text_(text), rest_(text), micro_(micro) {}

  // The error text, if the text does not fit.
  std::optional<std::string> parse() {
    if (!number(4, "2006", year_) || !literal("-") || !number(2, "01", month_)) return error_;
    if (month_ < 1 || month_ > 12) return out_of_range("month");
    int hour = 0, minute = 0, second = 0;
    if (!literal("-") || !number(2, "02", day_) || !literal("T") || !number(2, "15", hour))
      return error_;
    if (hour > 23) return out_of_range("hour");
    if (!literal(":") || !number(2, "04", minute)) return error_;
    if (minute > 59) return out_of_range("minute");
    if (!literal(":") || !number(2, "05", second)) return error_;
    if (second > 59) return out_of_range("second");
    if (!fraction() || !zone()) return error_;
    if (!rest_.empty()) return "parsing time " + quote(text_) + ": extra text: " + quote(rest_);
    if (day_ < 1 || day_ > days_in(month_, year_)) return out_of_range("day");
    return std::nullopt;
  }

 private:
  std::string_view layout() const {
    return micro_ ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
  }
  bool fail(std::string_view element) {
    error_ = "parsing time " + quote(text_) + " as " + quote(layout()) + ": cannot parse " +
             quote(rest_) + " as " + quote(element);
    return false;
  }
  std::optional<std::string> out_of_range(std::string_view what) const {
    return "parsing time " + quote(text_) + ": " + std::string(what) + " out of range";
  }
  bool number(std::size_t width, std::string_view element, int& out) {
    if (rest_.size() < width) return fail(element);
    out = 0;
    for (std::size_t i = 0; i < width; ++i) {
      if (!is_digit(rest_[i])) return fail(element);
      out = out * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(width);
    return true;
  }
  bool literal(std::string_view piece) {
    if (rest_.substr(0, piece.size()) != piece) return fail(piece);
    rest_.remove_prefix(piece.size());
    return true;
  }
  bool fraction() {
    if (!micro_) {
      // A fraction may stand although the layout has none.
      if (rest_.size() < 2 || (rest_[0] != '.' && rest_[0] != ',') || !is_digit(rest_[1]))
        return true;
      rest_.remove_prefix(1);
      while (!rest_.empty() && is_digit(rest_.front())) rest_.remove_prefix(1);
      return true;
    }
    if (rest_.size() < 7 || (rest_[0] != '.' && rest_[0] != ',')) return fail(".000000");
    for (std::size_t i = 1; i < 7; ++i)
      if (!is_digit(rest_[i])) return fail(".000000");
    rest_.remove_prefix(7);
    return true;
  }
  bool zone() {
    if (!rest_.empty() && rest_.front() == 'Z') {
      rest_.remove_prefix(1);
      return true;
    }
    const bool shape = rest_.size() >= 6 && (rest_[0] == '+' || rest_[0] == '-') &&
                       is_digit(rest_[1]) && is_digit(rest_[2]) && rest_[3] == ':' &&
                       is_digit(rest_[4]) && is_digit(rest_[5]);
    if (!shape) return fail("Z07:00");
    rest_.remove_prefix(6);
    return true;
  }

  std::string_view text_, rest_;
  bool micro_;
  int year_ = 0, month_ = 0, day_ = 0;
  std::string error_;
};

Result<std::string> served(std::string_view text, bool micro) {
  if (const auto error = GoTime(text, micro).parse()) return Error{Reason::bad_request, *error};
  const auto instant = parse_rfc3339(text);
  if (!instant) {
    // Outside of what an Instant holds (before 1678, after 2262): keep the text.
    return text.substr(0, 19) == "0001-01-01T00:00:00" ? std::string() : std::string(text);
  }
  return micro ? to_rfc3339_micro(*instant) : to_rfc3339(*instant);
}

}  // namespace

Result<std::string> served_time(std::string_view text) {
  return served(text, false);
}
Result<std::string> served_micro_time(std::string_view text) {
  return served(text, true);
}

Result<std::string> served_duration(std::string_view text) {
  const auto duration = parse_duration(text);
  if (!duration) return Error{Reason::bad_request, "time: invalid duration " + quote(text)};
  return to_text(*duration);
}

}  // namespace keelson::model
