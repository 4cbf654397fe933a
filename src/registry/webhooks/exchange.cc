#include "registry/webhooks/exchange.h"

namespace keelson::registry {

const Exchange::Answer* Exchange::ask(
    const std::string& question, const std::function<WebhookCall(const std::string& uid)>& make) {
  if (const auto found = answers_.find(question); found != answers_.end()) return &found->second;
  for (const Wanted& one : wanted_)
    if (one.question == question) return nullptr;
  // Not from the generator of the run: how much was asked must not change what else is drawn.
  Prng uids(hash64(question, seed_));
  const std::string uid = uids.uuid();
  WebhookCall call = make(uid);
  if (!call.problem.empty()) {
    Answer answer{uid, {}};
    answer.reply.problem = call.problem;
    return &answers_.emplace(question, std::move(answer)).first->second;
  }
  wanted_.push_back({question, uid, std::move(call)});
  return nullptr;
}

Error Exchange::waiting() {
  return Error{Reason::internal_error, "waits for a webhook"};
}

void Exchange::settle(const Wanted& wanted, WebhookReply reply) {
  answers_.insert_or_assign(wanted.question, Answer{wanted.uid, std::move(reply)});
}

}  // namespace keelson::registry
