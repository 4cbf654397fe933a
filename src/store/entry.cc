#include "codec/json.h"
#include "store/parsed.h"
#include "store/store.h"

namespace keelson::store {

Entry::Entry(std::string_view key, std::string_view bytes, Revision created, Revision modified,
             codec::Value value, std::shared_ptr<ParsedValues> values)
    : key_size_(static_cast<std::uint32_t>(key.size())),
      parsed_(!value.is_null()),
      value_(std::move(value)),
      created_(created),
      modified_(modified),
      values_(std::move(values)) {
  text_.reserve(key.size() + bytes.size());
  text_.append(key).append(bytes);
}

EntryPtr make_entry(std::string_view key, std::string_view bytes, Revision created,
                    Revision modified, codec::Value value, std::shared_ptr<ParsedValues> values) {
  auto entry = std::make_shared<const Entry>(key, bytes, created, modified, std::move(value),
                                             std::move(values));
  entry->remember();
  return entry;
}

void Entry::remember() const {
  if (!parsed_ || !values_) return;
  turn_ = values_->turn();
  values_->add(weak_from_this(), text_.size());
}

const codec::Value& Entry::value() const {
  if (parsed_) {
    if (values_ && values_->turn() != turn_) used_ = true;
    return value_;
  }
  parsed_ = true;
  if (auto parsed = codec::parse_json(bytes()); parsed.ok()) value_ = std::move(parsed).value();
  remember();
  return value_;
}

bool Entry::take_used() const {
  return std::exchange(used_, false) && !superseded_;
}

void Entry::drop_parsed() const {
  parsed_ = false;
  value_ = codec::Value();
}

void ParsedValues::add(std::weak_ptr<const Entry> entry, std::size_t bytes) {
  fresh_.push({std::move(entry), bytes});
  if (std::exchange(woken_, true)) return;
  loop_.post([self = weak_from_this()] {
    if (const auto values = self.lock()) values->trim();
  });
}

void ParsedValues::trim() {
  woken_ = false;
  ++turn_;
  const auto decide = [this](Queue& queue) {
    One one = queue.pop();
    const auto entry = one.entry.lock();
    if (!entry) return;
    if (entry->take_used())
      used_.push(std::move(one));
    else
      entry->drop_parsed();
  };
  while (fresh_.bytes > limits_.fresh) decide(fresh_);
  // Each entry gets at most one more round, so this ends.
  for (std::size_t rounds = used_.entries.size(); used_.bytes > limits_.used && rounds > 0;
       --rounds)
    decide(used_);
}

}  // namespace keelson::store
