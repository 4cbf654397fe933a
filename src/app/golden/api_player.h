// Replays recorded conversations with an API server. A file holds sequences; a sequence is a list
// of requests made in order in a namespace of its own, each with the answer to it, in which what
// differs from run to run has been normalised (the format is written down in
// tests/golden/README.md).
//
// Sequences run side by side on several connections; those that change the whole server run alone,
// after the others.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/client.h"
#include "app/golden/ordered_json.h"
#include "app/golden/player.h"

namespace keelson::app {

class ApiPlayer {
 public:
  // Whether a file of recordings is of this kind.
  static bool recognises(const codec::Value& file);

  // Takes the sequences of a file whose name begins with `only`.
  void add(std::string_view text, std::string_view only);
  bool empty() const { return sequences_.empty(); }
  // Whether any sequence needs the webhook server.
  bool needs_webhook() const;

  // One result for each answer. `variables` are what "${webhook}" and "${webhookCA}" stand for;
  // without them, sequences that need them are skipped.
  std::vector<PlayResult> run(const Endpoint& server, int jobs,
                              const std::map<std::string, std::string>& variables) const;
  // The same with every answer failed for this reason.
  std::vector<PlayResult> failed(const std::string& reason) const;

 private:
  std::vector<OrderedJson> sequences_;
};

}  // namespace keelson::app
