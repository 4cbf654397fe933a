// Each format is a small scanner rather than a regular expression: they run on every name, label
// and key of every write.
#include "model/formats.h"

#include "base/text.h"

namespace keelson::model {
namespace {

constexpr std::string_view kLabel = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kLabelUnderscore = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
constexpr std::string_view kLabelKey = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower_digit(char c) {
  return is_lower(c) || is_digit(c);
}
bool is_alphanumeric(char c) {
  return is_lower_digit(c) || is_upper(c);
}

template <typename Inner, typename Edge>
bool edged(std::string_view text, Inner inner, Edge edge) {
  if (text.empty() || !edge(text.front()) || !edge(text.back())) return false;
  for (const char c : text)
    if (!inner(c)) return false;
  return true;
}

bool is_label(std::string_view text) {
  return edged(
      text, [](char c) { return is_lower_digit(c) || c == '-'; }, is_lower_digit);
}
bool is_label_underscore(std::string_view text) {
  if (!text.empty() && text.front() == '_') text.remove_prefix(1);
  return edged(
      text, [](char c) { return is_lower_digit(c) || c == '-' || c == '_'; }, is_lower_digit);
}
bool is_label_key(std::string_view text) {
  return edged(
      text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; },
      is_alphanumeric);
}

template <typename Part>
bool is_dotted(std::string_view text, Part part) {
  while (true) {
    const std::size_t dot = text.find('.');
    if (!part(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::string dotted(std::string_view label) {
  return std::string(label) + "(\\." + std::string(label) + ")*";
}

void note_length(Messages& messages, std::string_view text, std::size_t length_max) {
  if (text.size() > length_max) messages.push_back(max_length_message(length_max));
}

void note_bytes(Messages& messages, std::string_view text, std::size_t length_max) {
  if (text.size() > length_max)
    messages.push_back("must be no more than " + std::to_string(length_max) + " bytes");
}

void note_parent_directory(Messages& messages, std::string_view text) {
  if (text == ".")
    messages.push_back("must not be '.'");
  else if (text == "..")
    messages.push_back("must not be '..'");
  else if (text.substr(0, 2) == "..")
    messages.push_back("must not start with '..'");
}

std::string subdomain_message() {
  return regex_message(
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
      "'.', and must start and end with an alphanumeric character",
      dotted(kLabel), {"example.com"});
}

}  // namespace

std::string max_length_message(std::size_t length) {
  return "must be no more than " + std::to_string(length) + " characters";
}

std::string range_message(std::int64_t low, std::int64_t high) {
  return "must be between " + std::to_string(low) + " and " + std::to_string(high) + ", inclusive";
}

std::string regex_message(std::string_view message, std::string_view regex,
                          std::initializer_list<std::string_view> examples) {
  std::string text(message);
  text += examples.size() == 0 ? " (" : " (e.g. ";
  bool first = true;
  for (const std::string_view example : examples) {
    if (!first) text += " or ";
    first = false;
    text += "'" + std::string(example) + "', ";
  }
  return text + "regex used for validation is '" + std::string(regex) + "')";
}

Messages label_key_messages(std::string_view text) {
  // Made only for a fault: selectors have thousands of good keys.
  const auto shape = [] {
    return regex_message(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character",
        kLabelKey, {"MyName", "my.name", "123-abc"});
  };
  Messages messages;
  std::string_view name = text;
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    const std::string_view prefix = text.substr(0, slash);
    name = text.substr(slash + 1);
    if (name.find('/') != std::string_view::npos)
      return {"a valid label key " + shape() +
              " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"};
    if (prefix.empty()) {
      messages.push_back("prefix part must be non-empty");
    } else {
      if (prefix.size() > 253) messages.push_back("prefix part must be no more than 253 bytes");
      if (!is_dotted(prefix, is_label)) messages.push_back("prefix part " + subdomain_message());
    }
  }
  if (name.empty())
    messages.push_back("name part must be non-empty");
  else if (name.size() > 63)
    messages.push_back("name part must be no more than 63 bytes");
  if (!is_label_key(name)) messages.push_back("name part " + shape());
  return messages;
}

Messages label_value_messages(std::string_view text) {
  Messages messages;
  note_bytes(messages, text, 63);
  if (!text.empty() && !is_label_key(text))
    messages.push_back(regex_message(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
        "'.', and must start and end with an alphanumeric character",
        '(' + std::string(kLabelKey) + ")?", {"MyValue", "my_value", "12345"}));
  return messages;
}

Messages dns1123_label_messages(std::string_view text) {
  Messages messages;
  note_length(messages, text, 63);
  if (!is_label(text))
    messages.push_back(is_dotted(text, is_label)
                           ? "must not contain dots"
                           : regex_message("a lowercase RFC 1123 label must consist of lower case "
                                           "alphanumeric characters or '-', and must start and end "
                                           "with an alphanumeric character",
                                           kLabel, {"my-name", "123-abc"}));
  return messages;
}

Messages dns1123_subdomain_messages(std::string_view text) {
  Messages messages;
  note_length(messages, text, 253);
  if (!is_dotted(text, is_label)) messages.push_back(subdomain_message());
  return messages;
}

Messages dns1123_subdomain_underscore_messages(std::string_view text) {
  Messages messages;
  note_length(messages, text, 253);
  if (!is_dotted(text, is_label_underscore))
    messages.push_back(regex_message(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', "
        "'-' or '.', and must start and end with an alphanumeric character",
        dotted(kLabelUnderscore), {"example.com"}));
  return messages;
}

Messages dns1035_label_messages(std::string_view text) {
  Messages messages;
  note_length(messages, text, 63);
  if (!is_label(text) || !is_lower(text.front()))
    messages.push_back(regex_message(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character",
        "[a-z]([-a-z0-9]*[a-z0-9])?", {"my-name", "abc-123"}));
  return messages;
}

Messages wildcard_dns1123_subdomain_messages(std::string_view text) {
  Messages messages;
  note_length(messages, text, 253);
  if (text.substr(0, 2) != "*." || !is_dotted(text.substr(2), is_label))
    messages.push_back(regex_message(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
        "which must consist of lower case alphanumeric characters, '-' or '.' and end with an "
        "alphanumeric character",
        "\\*\\." + dotted(kLabel), {"*.example.com"}));
  return messages;
}

Messages c_identifier_messages(std::string_view text) {
  bool good = !text.empty() && !is_digit(text.front());
  for (const char c : text) good = good && (is_alphanumeric(c) || c == '_');
  if (good) return {};
  return {
      regex_message("a valid C identifier must start with alphabetic character or '_', "
                    "followed by a string of alphanumeric characters or '_'",
                    "[A-Za-z_][A-Za-z0-9_]*", {"my_name", "MY_NAME", "MyName"})};
}

Messages in_range_messages(std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return {};
  return {range_message(low, high)};
}

Messages port_number_messages(std::int64_t port) {
  return in_range_messages(port, 1, 65535);
}

Messages port_name_messages(std::string_view text) {
  Messages messages;
  note_length(messages, text, 15);
  bool charset = !text.empty(), letter = false;
  for (const char c : text) {
    charset = charset && (is_lower_digit(c) || c == '-');
    letter = letter || is_lower(c);
  }
  if (!charset)
    messages.push_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!letter) messages.push_back("must contain at least one letter (a-z)");
  if (text.find("--") != std::string_view::npos)
    messages.push_back("must not contain consecutive hyphens");
  if (!text.empty() && (text.front() == '-' || text.back() == '-'))
    messages.push_back("must not begin or end with a hyphen");
  return messages;
}

Messages percent_messages(std::string_view text) {
  bool good = text.size() > 1 && text.back() == '%';
  for (std::size_t i = 0; good && i + 1 < text.size(); ++i) good = is_digit(text[i]);
  if (good) return {};
  return {regex_message("a valid percent string must be a numeric string followed by an ending '%'",
                        "[0-9]+%", {"1%", "93%"})};
}

Messages http_header_name_messages(std::string_view text) {
  bool good = !text.empty();
  for (const char c : text) good = good && (is_alphanumeric(c) || c == '-');
  if (good) return {};
  return {regex_message("a valid HTTP header must consist of alphanumeric characters or '-'",
                        "[-A-Za-z0-9]+", {"X-Header-Name"})};
}

Messages environment_name_messages(std::string_view text) {
  Messages messages;
  bool good = !text.empty() && !is_digit(text.front());
  for (const char c : text) good = good && (is_alphanumeric(c) || c == '-' || c == '.' || c == '_');
  if (!good)
    messages.push_back(regex_message(
        "a valid environment variable name must consist of alphabetic characters, digits, '_', "
        "'-', or '.', and must not start with a digit",
        "[-._a-zA-Z][-._a-zA-Z0-9]*", {"my.env-name", "MY_ENV.NAME", "MyEnvName1"}));
  note_parent_directory(messages, text);
  return messages;
}

Messages environment_name_relaxed_messages(std::string_view text) {
  if (text.empty()) return {"environment variable name must be non-empty"};
  for (const char c : text)
    if (c < 0x20 || c > 0x7e || c == '=')
      return {
          "a valid environment variable name must consist only of printable ASCII characters "
          "other than '='"};
  return {};
}

Messages config_map_key_messages(std::string_view text) {
  Messages messages;
  note_length(messages, text, 253);
  bool good = !text.empty();
  for (const char c : text) good = good && (is_alphanumeric(c) || c == '-' || c == '.' || c == '_');
  if (!good)
    messages.push_back(
        regex_message("a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                      "[-._a-zA-Z0-9]+", {"key.name", "KEY_NAME", "key-name"}));
  note_parent_directory(messages, text);
  return messages;
}

Messages path_segment_messages(std::string_view text) {
  if (text == "." || text == "..") return {"may not be '" + std::string(text) + "'"};
  Messages messages;
  for (const std::string_view part : {"/", "%"})
    if (text.find(part) != std::string_view::npos)
      messages.push_back("may not contain '" + std::string(part) + "'");
  return messages;
}

}  // namespace keelson::model
