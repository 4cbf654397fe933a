#include "app/golden/normalise.h"

#include <openssl/evp.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <tuple>

#include "base/text.h"
#include "codec/json.h"

namespace keelson::app {
namespace {

using codec::Array;
using codec::Member;
using codec::Value;

const RE2& uuid_pattern() {
  static const RE2 re(R"((\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b))");
  return re;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

// Replaces each match of the first group by what `stand_in` makes of it and of what follows it.
using StandIn = std::function<std::string(std::string_view match, std::string_view rest)>;
std::string replace_each(std::string_view text, const RE2& re, const StandIn& stand_in) {
  std::string out;
  re2::StringPiece rest(text.data(), text.size());
  const char* done = text.data();
  re2::StringPiece match;
  while (RE2::FindAndConsume(&rest, re, &match)) {
    out.append(done, match.data());
    const char* end = match.data() + match.size();
    out += stand_in({match.data(), match.size()},
                    {end, static_cast<std::size_t>(text.data() + text.size() - end)});
    done = end;
    if (match.empty()) break;
  }
  out.append(done, text.data() + text.size());
  return out;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_age(std::string_view text) {
  static const RE2 re(R"((\d+(s|m|h|d|y))+)");
  return text == "<invalid>" ||
         (!text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0 &&
          RE2::FullMatch(re2::StringPiece(text.data(), text.size()), re));
}

std::string without_versions(std::string text) {
  static const RE2 latest(
      R"((the latest version is \d+|resource version: ?\d+(?:, current: \d+)?(?: \(\d+\))?|\b\d+ \(\d+\)))");
  static const RE2 precondition(R"((precondition )\(\d{3,}\))");
  RE2::GlobalReplace(&text, precondition, "\\1<versions>");
  RE2::GlobalReplace(&text, latest, "<versions>");
  return text;
}

std::string shortened(const Value& value, std::size_t length) {
  return codec::to_json(value).substr(0, length);
}

}  // namespace

Normaliser::Normaliser(std::string ns, std::string id, std::map<std::string, std::string> variables)
    : ns_(std::move(ns)), id_(std::move(id)), id_capital_(id_), variables_(std::move(variables)) {
  if (!id_capital_.empty())
    id_capital_[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(id_capital_[0])));
}

std::string Normaliser::text(std::string_view original) {
  static const RE2 time(R"(\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\b)");
  static const RE2 scheme(R"re(in scheme \\?"[^"\\]*\\?")re");
  static const RE2 node_port(R"((\b\d+:)3[0-2]\d{3}(/(?:TCP|UDP|SCTP)\b))");
  static const RE2 embedded(
      R"re((resourceVersion\\*":\\*"|resourceVersion: "|X509SHA256=)[0-9a-f]+)re");
  static const RE2 record(R"((in record \()[0-9a-f]+\))");
  static const RE2 address(R"((\b10\.96\.[1-9]\d{0,2}\.\d{1,3}\b))");
  static const RE2 version(R"re(\bresourceVersion: "\d+")re");
  static const RE2 volume(R"(\bkube-api-access-[a-z0-9]{5}\b)");
  static const RE2 credential(R"(\bX509SHA256=[0-9a-f]{64}\b)");
  static const RE2 self_type(R"(\bselfType\d+)");
  std::string s(original);
  if (!keep_times && contains(s, "T") && contains(s, ":")) RE2::GlobalReplace(&s, time, "<time>");
  if (contains(s, "in scheme")) RE2::GlobalReplace(&s, scheme, "in scheme <place>");
  if (contains(s, "/") && contains(s, ":3")) RE2::GlobalReplace(&s, node_port, "\\1<number>\\2");
  if (contains(s, "resourceVersion") || contains(s, "X509SHA256="))
    RE2::GlobalReplace(&s, embedded, "\\1<versions>");
  // Not an identifier, which stands in such brackets too.
  if (contains(s, "in record (")) RE2::GlobalReplace(&s, record, "\\1<versions>)");
  if (contains(s, "10.96."))
    s = replace_each(s, address, [](std::string_view match, std::string_view rest) {
      return rest.substr(0, 1) == "/" ? std::string(match) : "<ip>";
    });
  if (contains(s, "resourceVersion: "))
    RE2::GlobalReplace(&s, version, "resourceVersion: \"<resourceVersion>\"");
  if (contains(s, "kube-api-access-")) RE2::GlobalReplace(&s, volume, "kube-api-access-<suffix>");
  if (contains(s, "X509SHA256=")) RE2::GlobalReplace(&s, credential, "<credential>");
  for (const auto& [name, meaning] : variables_) {
    replace_all(s, meaning, "${" + name + '}');
    if (meaning.substr(0, 8) == "https://") replace_all(s, meaning.substr(8), "${" + name + '}');
  }
  if (contains(s, "selfType")) RE2::GlobalReplace(&s, self_type, "selfType<number>");
  replace_all(s, ns_, "${ns}");
  replace_all(s, id_, "${id}");
  replace_all(s, id_capital_, "${Id}");
  return s;
}

Value Normaliser::walk(const Value& value, std::string_view key) {
  if (value.is_object()) return object(value, key);
  if (!value.is_array()) return scalar(value, key);
  Array out;
  for (const Value& element : value.elements()) {
    if (key == "cells") {
      static const RE2 repeated(R"((?s)\S+ \((x\d+ over) \S+\))");
      std::string cell = element.str();
      if (element.is_string() && contains(cell, " over "))
        RE2::Replace(&cell, repeated, "<age> (\\1 <age>)");
      else if (element.is_string() && is_age(cell))
        cell = "<age>";
      else {
        out.push_back(walk(element, {}));
        continue;
      }
      out.push_back(Value(cell));
    } else if (key == "clusterIPs" && !(value.size() == 1 && value[0].as_string() == "None")) {
      out.push_back(Value("<ip>"));
    } else {
      out.push_back(walk(element, key));
    }
  }
  return Value(std::move(out));
}

Value Normaliser::object(const Value& original, std::string_view key) {
  Value value = original;
  if (drop_descriptions && value["description"].is_string()) value.erase("description");
  if (value["kind"].as_string() == "APIResourceList" &&
      contains(value["groupVersion"].as_string(), id_)) {
    // This hash covers the group's name.
    for (std::size_t i = 0; i < value["resources"].size(); ++i)
      if (!value["resources"][i]["storageVersionHash"].as_string().empty())
        value.edit("resources").edit(i).set("storageVersionHash", "<hash>");
  }
  if (key == "columnDefinitions") value.erase("description");
  const std::string generated = value["generateName"].str();
  std::vector<Member> out;
  for (const Member& m : value.members()) {
    if (m.key() == "name" && !generated.empty() &&
        m.value.as_string().substr(0, generated.size()) == generated) {
      out.push_back({m.key_value, Value(generated + "<suffix>")});
      continue;
    }
    Value member = walk(m.value, m.key());
    out.push_back({Value(text(m.key())), std::move(member)});
  }
  return Value::object_of(std::move(out));
}

Value Normaliser::scalar(const Value& value, std::string_view key) {
  if (!value.is_string()) {
    const bool truthy = value.as_bool() || value.as_double() != 0;
    if (truthy && is_one_of(key, {"nodePort", "healthCheckNodePort", "remainingItemCount"}))
      return Value("<number>");
    return value;
  }
  const std::string_view s = value.as_string();
  if (!s.empty() &&
      is_one_of(key, {"resourceVersion", "continue", "token", "gitCommit", "gitTreeState",
                      "buildDate", "goVersion", "compiler", "platform"}))
    return Value('<' + std::string(key) + '>');
  if (key == "clusterIP" && !s.empty() && s != "None") return Value("<ip>");
  if (key == "message" || key == "reason") return Value(text(without_versions(std::string(s))));
  return Value(text(s));
}

namespace {

bool same_kind(const Value& a, const Value& b) {
  return a.kind() == b.kind() || (a.is_number() && b.is_number());
}

Array sorted(const Value& list, const std::function<std::string(const Value&)>& key) {
  Array out = list.elements();
  std::stable_sort(out.begin(), out.end(),
                   [&](const Value& a, const Value& b) { return key(a) < key(b); });
  return out;
}

// Of two long texts, the parts where they begin to differ.
std::pair<std::string, std::string> ends_of(const Value& want, const Value& got) {
  constexpr std::size_t context = 60, length = 300;
  std::string a = codec::to_json(want), b = codec::to_json(got);
  const auto first = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  const auto same = static_cast<std::size_t>(first - a.begin());
  if (same > 2 * context) {
    a = "..." + a.substr(same - context);
    b = "..." + b.substr(same - context);
  }
  return {a.substr(0, length), b.substr(0, length)};
}

std::string manager_key(const Value& entry) {
  std::string out;
  for (const char* name : {"operation", "manager", "subresource", "apiVersion"})
    out += entry[name].str() + '\0';
  return out;
}

bool all_conflicts(const Value& causes) {
  return std::all_of(causes.elements().begin(), causes.elements().end(), [](const Value& cause) {
    return cause["reason"].as_string() == "FieldManagerConflict";
  });
}

void compare(const Value& want, const Value& got, const std::string& path,
             std::vector<std::string>& out, std::size_t limit) {
  if (out.size() >= limit) return;
  const std::string here = path.empty() ? "." : path;
  if (!same_kind(want, got)) {
    out.push_back(here + ": want " + shortened(want, 200) + ", got " + shortened(got, 200));
  } else if (want.is_object()) {
    Value keys = want;
    for (const Member& m : got.members())
      if (!keys.has(m.key())) keys.set(m.key(), Value());
    for (const Member& m : keys.members()) {
      const std::string below = path + '.' + std::string(m.key());
      if (!got.has(m.key()))
        out.push_back(below + ": missing, want " + shortened(want[m.key()], 200));
      else if (!want.has(m.key()))
        out.push_back(below + ": unexpected " + shortened(got[m.key()], 200));
      else
        compare(want[m.key()], got[m.key()], below, out, limit);
    }
  } else if (want.is_array()) {
    Array a = want.elements(), b = got.elements();
    // Neither is in a fixed order.
    if (path.ends_with(".managedFields")) {
      a = sorted(want, manager_key);
      b = sorted(got, manager_key);
    } else if (path.ends_with(".details.causes") && all_conflicts(want) && all_conflicts(got)) {
      const auto key = [](const Value& cause) {
        return cause["field"].str() + '\0' + cause["message"].str();
      };
      a = sorted(want, key);
      b = sorted(got, key);
    }
    if (a.size() != b.size())
      out.push_back(path + ": want " + std::to_string(a.size()) + " items, got " +
                    std::to_string(b.size()));
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
      compare(a[i], b[i], path + '[' + std::to_string(i) + ']', out, limit);
  } else if (!(want == got)) {
    const auto [a, b] = ends_of(want, got);
    out.push_back(here + ": want " + a + ", got " + b);
  }
}

// JSON as Python writes it with sorted keys and no blanks, of which the hash is taken.
void append_python(std::string& out, const Value& value) {
  if (value.is_array()) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ',';
      append_python(out, value[i]);
    }
    out += ']';
  } else if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const Member& m : value.members()) {
      if (!first) out += ',';
      first = false;
      append_python(out, m.key_value);
      out += ':';
      append_python(out, m.value);
    }
    out += '}';
  } else if (value.is_number() && !value.is_integer()) {
    std::string number = codec::to_json(value);
    if (number.find_first_of(".e") == std::string::npos) number += ".0";
    out += number;
  } else {
    codec::append_json(out, value);
  }
}

Value hash_of(const Value& value) {
  std::string text;
  append_python(text, value);
  // Python keeps to ASCII.
  std::string ascii;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ascii += text[i++];
      continue;
    }
    const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t c = lead & (0x7fU >> length);
    for (std::size_t k = 1; k < length; ++k)
      c = c << 6 | (static_cast<unsigned char>(text[i + k]) & 63);
    i += length;
    std::array<char, 16> buffer{};
    if (c >= 0x10000)
      std::snprintf(buffer.data(), buffer.size(), "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                    0xdc00 + (c & 0x3ff));
    else
      std::snprintf(buffer.data(), buffer.size(), "\\u%04x", c);
    ascii += buffer.data();
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  EVP_Digest(ascii.data(), ascii.size(), hash.data(), &size, EVP_sha1(), nullptr);
  return Value("sha1:" + to_hex({reinterpret_cast<const char*>(hash.data()), size}).substr(0, 12));
}

}  // namespace

Value Identifiers::labelled(const Value& want, const Value& got) {
  learn(want, got);
  return rewrite(got);
}

void Identifiers::learn(const Value& want, const Value& got) {
  if (want.is_string() && got.is_string()) return learn(want.as_string(), got.as_string());
  if (want.is_object()) {
    for (const Member& m : want.members())
      if (const Value* there = got.find(m.key())) learn(m.value, *there);
  } else if (want.is_array()) {
    for (std::size_t i = 0; i < want.size() && i < got.size(); ++i) learn(want[i], got[i]);
  }
}

// Learns from texts that differ in nothing but identifiers.
void Identifiers::learn(std::string_view want, std::string_view got) {
  static const RE2 label(R"((<uid-\d+>))");
  if (!contains(want, "<uid-")) return;
  std::vector<std::string> labels, identifiers;
  const auto collect = [](std::vector<std::string>& into) {
    return [&into](std::string_view match, std::string_view) {
      into.emplace_back(match);
      return std::string("<uid>");
    };
  };
  if (replace_each(want, label, collect(labels)) !=
          replace_each(got, uuid_pattern(), collect(identifiers)) ||
      labels.size() != identifiers.size())
    return;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (label_of_.contains(identifiers[i]) || identifier_of_.contains(labels[i])) continue;
    label_of_.emplace(identifiers[i], labels[i]);
    identifier_of_.emplace(labels[i], identifiers[i]);
  }
}

std::string Identifiers::rewrite(std::string_view text) {
  if (text.size() < 36 || !contains(text, "-")) return std::string(text);
  return replace_each(text, uuid_pattern(), [&](std::string_view match, std::string_view) {
    const auto known = label_of_.find(match);
    return known == label_of_.end() ? "<another uid>" : known->second;
  });
}

Value Identifiers::rewrite(const Value& value) {
  if (value.is_string()) return Value(rewrite(value.as_string()));
  if (value.is_array()) {
    Array out;
    for (const Value& element : value.elements()) out.push_back(rewrite(element));
    return Value(std::move(out));
  }
  if (!value.is_object()) return value;
  std::vector<Member> out;
  for (const Member& m : value.members())
    out.push_back({Value(rewrite(m.key())), rewrite(m.value)});
  return Value::object_of(std::move(out));
}

std::vector<std::string> differences(const Value& want, const Value& got, std::size_t limit) {
  std::vector<std::string> out;
  compare(want, got, "", out, limit);
  if (out.size() > limit) out.resize(limit);
  return out;
}

Value kept(Value answer, const Value& rules) {
  for (const Member& rule : rules.members()) {
    if (!answer.has(rule.key())) continue;
    const RE2 re(rule.value.str());
    const auto matches = [&](std::string_view name) {
      return RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), re);
    };
    const Value collection = answer[rule.key()];
    if (collection.is_object()) {
      std::vector<Member> members;
      for (const Member& m : collection.members())
        if (matches(m.key())) members.push_back(m);
      answer.set(rule.key(), Value::object_of(std::move(members)));
    } else {
      Array elements;
      for (const Value& element : collection.elements()) {
        std::string_view name = element.as_string();
        for (const char* key : {"name", "groupVersion"})
          if (name.empty()) name = element[key].as_string();
        if (name.empty()) name = element["metadata"]["name"].as_string();
        if (matches(name)) elements.push_back(element);
      }
      answer.set(rule.key(), Value(std::move(elements)));
    }
  }
  return answer;
}

Value digested(const Value& answer, const Value& names) {
  if (!answer.is_object()) return answer;
  if (names.empty()) return hash_of(answer);
  Value out = answer;
  for (const Value& name : names.elements()) {
    if (!answer.has(name.as_string())) continue;
    std::vector<Member> members;
    for (const Member& m : answer[name.as_string()].members())
      members.push_back({m.key_value, hash_of(m.value)});
    out.set(name.as_string(), Value::object_of(std::move(members)));
  }
  return out;
}

Value unordered(const Value& answer) {
  const auto text_of = [](const Value& value) { return codec::to_json(value); };
  const std::string_view kind = answer["kind"].as_string();
  Value out = answer;
  if (kind == "SelfSubjectRulesReview" && !answer["status"].empty()) {
    for (const Member& m : answer["status"].members())
      if (m.value.is_array()) out.edit("status").set(m.key(), Value(sorted(m.value, text_of)));
    return out;
  }
  if (kind != "Status") return answer;
  const Value& causes = answer["details"]["causes"];
  const std::string message = answer["message"].str();
  if (causes.size() < 2 && !contains(message, ": [")) return answer;
  std::vector<std::string> words;
  std::string word;
  for (const char c : message + ' ') {
    if (std::string_view("[], ").find(c) == std::string_view::npos)
      word += c;
    else if (!word.empty())
      words.push_back(std::exchange(word, {}));
  }
  std::sort(words.begin(), words.end());
  out.set("message", join(words, " "));
  if (!causes.empty()) out.edit("details").set("causes", Value(sorted(causes, text_of)));
  return out;
}

Value follow(const Value& value, std::string_view pointer) {
  Value here = value;
  const std::vector<std::string> parts = split(pointer, '/');
  for (std::size_t i = 1; i < parts.size(); ++i) {
    std::string part = parts[i];
    replace_all(part, "~1", "/");
    replace_all(part, "~0", "~");
    if (here.is_array()) {
      const auto index = parse_int(part);
      if (!index || *index < 0 || static_cast<std::size_t>(*index) >= here.size()) return {};
      here = Value(here[static_cast<std::size_t>(*index)]);
    } else if (const Value* found = here.find(part)) {
      here = Value(*found);
    } else {
      return {};
    }
  }
  return here;
}

}  // namespace keelson::app
