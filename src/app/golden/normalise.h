// What may differ between two runs of one server is replaced by stand-ins before answers are
// compared: versions, times, allocated addresses, ages. Identifiers (UUIDs) are matched with the
// stand-ins of the recording: within a conversation one identifier is one stand-in, whichever
// member of an answer a server writes first. Also the comparison itself, and the ways in which a
// step makes less of an answer.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace keelson::app {

class Normaliser {
 public:
  // `variables`: what "${webhook}" and the like stand for.
  Normaliser(std::string ns, std::string id, std::map<std::string, std::string> variables);

  bool keep_times = false;
  bool drop_descriptions = false;  // OpenAPI: prose is not compared

  std::string text(std::string_view text);
  codec::Value value(const codec::Value& value) { return walk(value, {}); }
  codec::Value value(const codec::Value& value, std::string_view key) { return walk(value, key); }

 private:
  codec::Value walk(const codec::Value& value, std::string_view key);
  codec::Value object(const codec::Value& value, std::string_view key);
  codec::Value scalar(const codec::Value& value, std::string_view key);

  std::string ns_, id_, id_capital_;
  std::map<std::string, std::string> variables_;
};

// Which identifier stands for which "<uid-N>" of the recording.
class Identifiers {
 public:
  // `got` with the stand-ins that the recording has at the same places.
  codec::Value labelled(const codec::Value& want, const codec::Value& got);

 private:
  void learn(const codec::Value& want, const codec::Value& got);
  void learn(std::string_view want, std::string_view got);
  codec::Value rewrite(const codec::Value& value);
  std::string rewrite(std::string_view text);

  std::map<std::string, std::string, std::less<>> label_of_, identifier_of_;
};

// A line for each difference, "PATH: want X, got Y", at most `limit`.
std::vector<std::string> differences(const codec::Value& want, const codec::Value& got,
                                     std::size_t limit = 20);

// {"groups": REGEX}: leaves out of a named collection what does not match.
codec::Value kept(codec::Value answer, const codec::Value& rules);
// A hash of each entry of the named maps; of the whole answer if none is named.
codec::Value digested(const codec::Value& answer, const codec::Value& names);
// A Status of several causes, in no order.
codec::Value unordered(const codec::Value& answer);
// The part that a JSON pointer names; null if there is none.
codec::Value follow(const codec::Value& value, std::string_view pointer);

}  // namespace keelson::app
