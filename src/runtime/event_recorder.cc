#include "runtime/event_recorder.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "model/meta.h"

namespace keelson::runtime {

using cluster::Value;
using cluster::Write;

namespace {

// client-go's defaults (tools/record/events_cache.go, tools/events/event_broadcaster.go).
constexpr std::size_t kCacheEntries = 4096;
constexpr std::size_t kMessagesMax = 10;
constexpr Duration kAggregateTime = Duration::seconds(600);
constexpr Duration kSpamRefill = Duration::seconds(300);
constexpr std::int64_t kSpamBurst = 25;
constexpr Duration kSeriesRefresh = Duration::minutes(30);
constexpr std::size_t kSeriesMax = 4096;

// Parts are separated, so that no two different ones make the same key.
std::string join_key(std::initializer_list<std::string_view> parts) {
  std::string key;
  for (std::string_view part : parts) key.append(part).push_back('\0');
  return key;
}

std::string regarding_key(const Value& event) {
  const Value& r = event["involvedObject"];
  return join_key({r["kind"].as_string(), r["namespace"].as_string(), r["name"].as_string(),
                   r["uid"].as_string(), r["apiVersion"].as_string()});
}
std::string source_key(const Value& event) {
  return join_key({event.at("source.component").as_string(), event.at("source.host").as_string(),
                   event["type"].as_string()}) +
         regarding_key(event);
}
std::string event_key(const Value& event) {
  return source_key(event) + join_key({event.at("involvedObject.fieldPath").as_string(),
                                       event["reason"].as_string(), event["message"].as_string()});
}
std::string aggregate_key(const Value& event) {
  return source_key(event) +
         join_key({event["reason"].as_string(), event["reportingComponent"].as_string(),
                   event["reportingInstance"].as_string()});
}
std::string series_key(const Value& event) {
  return join_key({event["type"].as_string(), event["action"].as_string(),
                   event["reason"].as_string(), event["reportingComponent"].as_string(),
                   event["reportingInstance"].as_string()}) +
         regarding_key(event);
}

Value reference_of(const Value& regarding) {
  return regarding.has("metadata") ? model::object_reference(regarding) : regarding;
}

}  // namespace

EventRecorder::EventRecorder(Commit commit)
    : commit_(std::move(commit)),
      aggregates_(kCacheEntries),
      observations_(kCacheEntries),
      spam_(kCacheEntries) {}

// NAME.STAMP with the nanoseconds in hexadecimal; the stamp only grows, because in virtual time two
// events may well share an instant.
std::string EventRecorder::name_for(const Value& reference, Instant now) {
  stamp_last_ = std::max(stamp_last_ + 1, now.unix_nanoseconds());
  char stamp[24];
  std::snprintf(stamp, sizeof stamp, ".%llx", static_cast<unsigned long long>(stamp_last_));
  return reference["name"].str() + stamp;
}

void EventRecorder::note(const cluster::EventNote& note, const std::string& reporter, Instant now) {
  std::string component = reporter.substr(0, reporter.find('/'));
  std::string host =
      component.size() < reporter.size() ? reporter.substr(component.size() + 1) : "";
  Value reference = reference_of(note.regarding);
  std::string_view ns = reference["namespace"].as_string();
  Value event = Value::object({{"apiVersion", "v1"},
                               {"kind", "Event"},
                               {"involvedObject", reference},
                               {"type", note.warning ? "Warning" : "Normal"},
                               {"reason", note.reason},
                               {"message", note.message},
                               {"reportingComponent", component},
                               {"reportingInstance", host}});
  event.edit("metadata").set("name", name_for(reference, now));
  event.edit("metadata").set("namespace", ns.empty() ? "default" : ns);
  if (!note.action.empty()) {
    event.set("action", note.action);
    event.set("eventTime", to_rfc3339_micro(now));
    if (host.empty()) event.set("reportingInstance", component + "-keelson");
    return record_series(std::move(event), reporter, now);
  }
  event.edit("source").set("component", component);
  if (!host.empty()) event.edit("source").set("host", host);
  event.set("firstTimestamp", to_rfc3339(now));
  event.set("lastTimestamp", to_rfc3339(now));
  event.set("count", 1);
  record(std::move(event), reporter, now);
}

void EventRecorder::create(const std::string& reporter, const Value& event) {
  // An event that cannot be written (its namespace is going away, say) is dropped, as Kubernetes
  // does: events inform, nothing depends on them.
  (void)commit_(reporter, Write{.verb = Write::Verb::create,
                                .resource = "events",
                                .namespace_ = event.at("metadata.namespace").str(),
                                .name = event.at("metadata.name").str(),
                                .object = event});
}

Result<Value> EventRecorder::patch(const std::string& reporter, const Value& event, Value change) {
  return commit_(reporter, Write{.verb = Write::Verb::merge_patch,
                                 .resource = "events",
                                 .namespace_ = event.at("metadata.namespace").str(),
                                 .name = event.at("metadata.name").str(),
                                 .object = std::move(change)});
}

bool EventRecorder::is_spam(const std::string& key, Instant now) {
  Spam& spam = spam_.at(key);
  const Duration full = kSpamRefill * kSpamBurst;
  if (!spam.known) spam = {true, full, now};
  spam.credit = std::min(full, spam.credit + (now - spam.last));
  spam.last = now;
  if (spam.credit < kSpamRefill) return true;
  spam.credit = spam.credit - kSpamRefill;
  return false;
}

void EventRecorder::record(Value event, const std::string& reporter, Instant now) {
  Aggregate& aggregate = aggregates_.at(aggregate_key(event));
  if (!aggregate.messages.empty() && now - aggregate.last > kAggregateTime)
    aggregate.messages.clear();
  aggregate.messages.insert(event["message"].str());
  aggregate.last = now;
  std::string key = event_key(event);
  if (aggregate.messages.size() >= kMessagesMax) {
    aggregate.messages.erase(aggregate.messages.begin());
    key = aggregate_key(event);
    event.set("message", "(combined from similar events): " + event["message"].str());
  }
  Observation& seen = observations_.at(key);
  if (seen.count > 0) {
    event.edit("metadata").set("name", seen.event.at("metadata.name"));
    event.set("firstTimestamp", seen.event["firstTimestamp"]);
    event.set("count", seen.count + 1);
  }
  bool known = seen.count > 0;
  seen = {event["count"].as_int(), event};
  if (is_spam(source_key(event), now)) return;
  if (known) {
    auto done = patch(reporter, event,
                      Value::object({{"count", event["count"]},
                                     {"lastTimestamp", event["lastTimestamp"]},
                                     {"message", event["message"]}}));
    if (done.ok() || done.error().reason != Reason::not_found) return;
  }
  create(reporter, event);
}

void EventRecorder::write_series(Series& series, Instant now) {
  series.written = now;
  series.count_written = series.count;
  Value state =
      Value::object({{"count", series.count}, {"lastObservedTime", to_rfc3339_micro(series.last)}});
  series.event.set("series", state);
  std::string reporter = series.event["reportingComponent"].str();
  auto done = patch(reporter, series.event, Value::object({{"series", state}}));
  if (!done.ok() && done.error().reason == Reason::not_found) create(reporter, series.event);
}

void EventRecorder::record_series(Value event, const std::string& reporter, Instant now) {
  std::string key = series_key(event);
  auto found = series_.find(key);
  if (found == series_.end()) {
    if (series_.size() >= kSeriesMax) series_.erase(series_.begin());
    create(reporter, event);
    series_[key] = {std::move(event), 1, 1, now, now};
    return;
  }
  Series& series = found->second;
  ++series.count;
  series.last = now;
  if (series.count == 2 || now - series.written >= kSeriesRefresh) write_series(series, now);
}

void EventRecorder::sweep(Instant now) {
  for (auto it = series_.begin(); it != series_.end();) {
    if (now - it->second.last < kSweepTime) {
      ++it;
      continue;
    }
    if (it->second.count != it->second.count_written) write_series(it->second, now);
    it = series_.erase(it);
  }
}

}  // namespace keelson::runtime
