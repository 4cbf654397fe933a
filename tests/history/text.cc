// Histories and verdicts for a reader.
#include <algorithm>

#include "check.h"

namespace keelson::history {

std::string_view to_text(Guarantee guarantee) {
  constexpr std::string_view kNames[] = {
      "one order",  "durable",         "exactly once", "real time", "conditional",
      "fresh read", "consistent list", "ordered",      "unique",    "atomic",
      "reliable",   "resumable",       "bookmarkable", "filtered",  "expiring"};
  return kNames[static_cast<std::size_t>(guarantee)];
}

namespace {

std::string_view to_text(Operation::Kind kind) {
  constexpr std::string_view kNames[] = {"create", "update", "write", "remove",
                                         "pair",   "get",    "list"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_text(Operation::Outcome outcome) {
  constexpr std::string_view kNames[] = {"ok",       "there is none", "exists already",
                                         "conflict", "refused",       "no answer"};
  return kNames[static_cast<std::size_t>(outcome)];
}

std::string_view to_text(WatchEvent::Type type) {
  constexpr std::string_view kNames[] = {"added",    "modified",         "removed",
                                         "bookmark", "end of beginning", "expired"};
  return kNames[static_cast<std::size_t>(type)];
}

std::string moment(Moment at, const History& history) {
  if (at == kNever) return "never";
  const auto found = history.clock.upper_bound(at);
  return found == history.clock.begin() ? "@" + std::to_string(at) : std::prev(found)->second;
}

std::string describe(const WatchEvent& event) {
  std::string out(to_text(event.type));
  if (!event.item.key.empty()) out += " " + event.item.key + " \"" + event.item.value + "\"";
  return out + " " + std::to_string(event.revision());
}

bool concerns(const std::vector<std::string>& of, const Violation& violation) {
  if (violation.keys.empty()) return true;
  for (const std::string& key : of)
    for (const std::string& wanted : violation.keys)
      if (wanted.starts_with(key)) return true;
  return false;
}

}  // namespace

std::string describe(const Operation& op, const History& history) {
  std::string out = moment(op.begun, history) + ".." + moment(op.ended, history) + " client " +
                    std::to_string(op.client) + " " + std::string(to_text(op.kind));
  for (const std::string& key : op.keys) out += " " + key;
  if (!op.group.empty()) out += " of " + op.group;
  if (op.expected != 0) out += " expecting " + std::to_string(op.expected);
  if (!op.value.empty()) out += " = \"" + op.value + "\"";
  out += " -> " + std::string(to_text(op.outcome));
  if (op.outcome != Operation::Outcome::ok) return out;
  if (op.revision != 0) out += " at " + std::to_string(op.revision);
  for (const Item& item : op.items)
    out += ", " + item.key + " \"" + item.value + "\" " + std::to_string(item.revision);
  return out;
}

std::string explain(const Violation& violation, const History& history) {
  struct Line {
    Moment at;
    std::string text;
  };
  std::vector<Line> lines;
  for (const Operation& op : history.operations)
    if (concerns(op.keys, violation)) lines.push_back({op.begun, describe(op, history)});
  for (const auto& [at, text] : history.notes)
    lines.push_back({at, moment(at, history) + " --- " + text});
  if (violation.watch >= 0) {
    const Watch& watch = history.watches[static_cast<std::size_t>(violation.watch)];
    const std::string who = " watch " + std::to_string(violation.watch) + " ";
    lines.push_back(
        {watch.begun,
         moment(watch.begun, history) + who + "of client " + std::to_string(watch.client) +
             " for " + watch.prefix + (watch.group.empty() ? "" : " of " + watch.group) +
             (watch.initial ? " from the state" : " after " + std::to_string(watch.from))});
    for (const WatchEvent& event : watch.events)
      if (event.item.key.empty() || concerns({event.item.key}, violation))
        lines.push_back({event.at, moment(event.at, history) + who + describe(event)});
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.at < b.at; });
  std::string out = "not " + std::string(to_text(violation.guarantee)) + ": " + violation.text;
  // The end tells most.
  constexpr std::size_t kLinesMax = 60;
  const std::size_t left_out = lines.size() > kLinesMax ? lines.size() - kLinesMax : 0;
  if (left_out > 0) out += "\n  (" + std::to_string(left_out) + " lines before)";
  for (std::size_t i = left_out; i < lines.size(); ++i) out += "\n  " + lines[i].text;
  std::vector<std::string> order;
  for (const Change& change : history.witnessed)
    if (concerns({change.key}, violation) && !change.key.starts_with("other/"))
      order.push_back(std::to_string(change.revision) + " " + change.key + " " +
                      (change.value ? "\"" + *change.value + "\"" : "removed"));
  out += "\n  the order of these keys:";
  for (std::size_t i = order.size() > kLinesMax ? order.size() - kLinesMax : 0; i < order.size();
       ++i)
    out += "\n    " + order[i];
  return out + "\n";
}

}  // namespace keelson::history
