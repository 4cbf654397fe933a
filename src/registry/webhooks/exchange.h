// What requests ask of webhooks, and the answers. The registry never waits: a request that needs an
// answer that it does not have ends its run, is asked for outside, and runs again from its start
// with the answer at hand. Nothing was written before, so what it reads on the next run is current,
// and an answer counts only for exactly the question that was asked.
//
// Invariant: within one exchange time and chance are the same on every run; so the same objects
// lead to the same questions.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "base/result.h"
#include "base/time.h"

namespace keelson::registry {

// One HTTPS POST of a JSON document.
struct WebhookCall {
  std::string url;      // as messages name it: "https://hook.example.com:8443/check?timeout=10s"
  std::string host;     // whose certificate is expected
  std::string address;  // where to connect: a name or an address
  int port = 443;
  std::string target;     // path and query
  std::string ca_bundle;  // PEM; empty: what the system trusts
  std::string body;
  Duration timeout = Duration::seconds(10);
  std::string problem = {};  // why it cannot be made at all; then nobody is called
};
struct WebhookReply {
  int code = 0;
  std::string content_type, body;
  std::string problem;  // why there is no answer, as Go says it
};
// Calls back once, later.
using WebhookPost = std::function<void(WebhookCall, std::function<void(WebhookReply)>)>;

class Exchange {
 public:
  Exchange(std::uint64_t seed, Instant now) : seed_(seed), start_(now), rng_(seed) {}

  struct Answer {
    std::string uid;  // of the question
    WebhookReply reply;
  };
  // The answer to the question, or null: then the run has to end with waiting(). `make` gets the
  // uid that the answer has to repeat.
  const Answer* ask(const std::string& question,
                    const std::function<WebhookCall(const std::string& uid)>& make);
  static Error waiting();

  // --- around the runs ---
  void begin_run() { rng_ = Prng(seed_); }
  Prng& rng() { return rng_; }
  Instant start() const { return start_; }
  struct Wanted {
    std::string question, uid;
    WebhookCall call;
  };
  bool has_wanted() const { return !wanted_.empty(); }
  std::vector<Wanted> take_wanted() { return std::exchange(wanted_, {}); }
  void settle(const Wanted& wanted, WebhookReply reply);

 private:
  std::uint64_t seed_;
  Instant start_;
  Prng rng_;
  std::map<std::string, Answer> answers_;
  std::vector<Wanted> wanted_;
};

}  // namespace keelson::registry
