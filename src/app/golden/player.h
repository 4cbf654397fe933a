// The one interface of `keelson test golden`: a player recognises one kind of recording by its
// content, plays a whole file, and says of every case whether Keelson decided as recorded.
//
// Each kind stands in a file of its own here (hpa_player.cc, scheduler_player.cc ...) with one
// function that returns its Player; players() in golden.cc lists them. A player must not print,
// must not keep state between files, and must never end the process because of a bad file.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "codec/value.h"

namespace keelson::app {

// The outcome of one case of a recording.
struct PlayResult {
  std::string category;  // what results are counted by: "hpa", "scheduler", "lifecycle" ...
  std::string name;      // the case's name in its file
  bool passed = false;
  std::string difference;  // the first differences, a line each; empty if passed
  bool skipped = false;    // needs what this run does not have (difference says what): not counted
};

// `path` is for messages only. A file that is damaged yields one failed result.
using PlayFile =
    std::function<std::vector<PlayResult>(const codec::Value& file, const std::string& path)>;

struct Player {
  std::string kind;  // as shown to people: "scheduler", "API conversation"
  // Whether the file is of this kind, from its own content. Exactly one player may say yes.
  std::function<bool(const codec::Value& file)> recognises;
  PlayFile play;
};

}  // namespace keelson::app
