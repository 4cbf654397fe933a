// See jobs.h. pkg/apis/batch/validation, and its options in pkg/registry/batch/job/strategy.go.
#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "model/meta.h"
#include "model/validation/common.h"
#include "model/validation/jobs.h"

namespace keelson::model {
namespace {

struct Interval {
  std::int64_t first = 0, last = 0;
  std::string error;
};

Interval interval_of(const std::string& text, std::int64_t completions) {
  const std::vector<std::string> ends = split(text, '-');
  Interval out;
  if (ends.size() > 2) {
    out.error = "the fragment " + quote(text) +
                " violates the requirement that an index interval can have at most two parts "
                "separated by '-'";
    return out;
  }
  std::int64_t values[2] = {};
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const auto n = parse_int(ends[i]);
    if (!n) {
      out.error = "cannot convert string to integer for index: " + quote(ends[i]);
      return out;
    }
    if (*n >= completions) {
      out.error = "too large index: " + quote(ends[i]);
      return out;
    }
    values[i] = *n;
  }
  out.first = values[0];
  out.last = ends.size() == 2 ? values[1] : values[0];
  if (ends.size() == 2 && out.first >= out.last)
    out.error = "non-increasing order, previous: " + std::to_string(out.first) +
                ", current: " + std::to_string(out.last);
  return out;
}

// What differs between the two statuses, and what holds in the new one.
struct Change {
  const Value& job;
  const Value& old;

  bool in(std::string_view field) const { return !(job["status"][field] == old["status"][field]); }
  bool in_condition(std::string_view type) const {
    return condition_is_true(job, type) != condition_is_true(old, type);
  }
  bool now(std::string_view type) const { return condition_is_true(job, type); }
  bool finished() const { return now("Complete") || now("Failed"); }
  bool finishes() const {
    return finished() != (condition_is_true(old, "Complete") || condition_is_true(old, "Failed"));
  }
};

void check_uncounted(const Path& path, const Value& uncounted, FieldErrors& errors) {
  std::set<std::string> seen;
  for (const char* kind : {"succeeded", "failed"})
    for (std::size_t i = 0; i < uncounted[kind].size(); ++i) {
      const Value& uid = uncounted[kind][i];
      const Path list = path.child(kind);
      const Path at = list.index(i);
      if (uid.as_string().empty())
        errors.invalid(at, uid, "must not be empty");
      else if (!seen.insert(uid.str()).second)
        errors.duplicate(at, uid);
    }
}

void check_times(const Path& path, const Change& change, FieldErrors& errors) {
  const Value& s = change.job["status"];
  const Value &completed = s["completionTime"], &started = s["startTime"];
  const bool about_end = change.in_condition("Complete") || change.in("completionTime");
  if (about_end && !completed.is_null() && !change.now("Complete"))
    errors.invalid(path.child("completionTime"), completed,
                   "cannot set completionTime when there is no Complete=True condition");
  if (about_end && completed.is_null() && change.now("Complete"))
    errors.required(path.child("completionTime"), "completionTime is required for Complete jobs");
  if ((change.in("startTime") || change.in("completionTime")) && !started.is_null() &&
      !completed.is_null() && time_of(completed) < time_of(started))
    errors.invalid(path.child("completionTime"), completed,
                   "must be equal to or after `startTime`");
}

void check_ends(const Path& path, const Change& change, FieldErrors& errors) {
  const Value &s = change.job["status"], &spec = change.job["spec"];
  const bool finished = change.finished(), finishes = change.finishes();
  if ((finishes || change.in("active")) && finished && s["active"].as_int() > 0)
    errors.invalid(path.child("active"), s["active"], "active>0 is invalid for finished job");
  const bool never_started = spec["suspend"].as_bool() && spec["completions"].is_integer() &&
                             spec["completions"].as_int() == 0;
  if ((finishes || change.in("startTime")) && !never_started && finished &&
      s["startTime"].is_null())
    errors.required(path.child("startTime"), "startTime is required for finished job");
  const Value& uncounted = s["uncountedTerminatedPods"];
  if ((finishes || change.in("uncountedTerminatedPods")) && finished &&
      uncounted["succeeded"].size() + uncounted["failed"].size() > 0)
    errors.invalid(path.child("uncountedTerminatedPods"), uncounted,
                   "must be empty for finished job");
}

// The first index that is in both; nullopt if none is. Malformed parts are told of elsewhere.
std::optional<std::int64_t> overlap(const std::string& completed, const std::string& failed,
                                    std::int64_t completions) {
  if (completed.empty() || failed.empty()) return std::nullopt;
  for (const std::string& one : split(failed, ','))
    for (const std::string& other : split(completed, ',')) {
      const Interval f = interval_of(one, completions), c = interval_of(other, completions);
      if (f.error.empty() && c.error.empty() && c.first <= f.last && f.first <= c.last)
        return std::max(c.first, f.first);
    }
  return std::nullopt;
}

void check_indexes(const Path& path, const Change& change, FieldErrors& errors) {
  const Value &s = change.job["status"], &spec = change.job["spec"];
  const Value &completed = s["completedIndexes"], &failed = s["failedIndexes"];
  const bool completed_new = change.in("completedIndexes"), failed_new = change.in("failedIndexes");
  const bool numbered = !spec["completions"].is_null();
  const bool limited = !spec["backoffLimitPerIndex"].is_null();
  const std::int64_t completions = spec["completions"].as_int();
  const auto check = [&](const char* field, const Value& text) {
    std::string error;
    if (!text.as_string().empty()) (void)index_count(text.str(), completions, error);
    if (!error.empty())
      errors.invalid(path.child(field), text, "error parsing " + std::string(field) + ": " + error);
  };
  if (completed_new && numbered) check("completedIndexes", completed);
  if (failed_new && numbered && limited && !failed.is_null()) check("failedIndexes", failed);
  if (completed_new && !completed.as_string().empty() &&
      text_of(spec, "completionMode") != "Indexed")
    errors.invalid(path.child("completedIndexes"), completed,
                   "cannot set non-empty completedIndexes when non-indexed completion mode");
  if (failed_new && !limited && !failed.is_null())
    errors.invalid(path.child("failedIndexes"), failed,
                   "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
  if ((completed_new || failed_new) && numbered && !failed.is_null())
    if (const auto index = overlap(completed.str(), failed.str(), completions))
      errors.invalid(
          path.child("failedIndexes"), failed,
          "failedIndexes and completedIndexes overlap at index: " + std::to_string(*index));
}

void check_conditions(const Path& path, const Change& change, FieldErrors& errors) {
  const bool completes = change.in_condition("Complete"), fails = change.in_condition("Failed");
  const bool complete = change.now("Complete"), failed = change.now("Failed");
  if ((completes || fails) && complete && failed)
    omitted(path, "cannot set Complete=True and Failed=true conditions", errors);
  if ((completes || change.in_condition("FailureTarget")) && complete &&
      change.now("FailureTarget"))
    omitted(path, "cannot set Complete=True and FailureTarget=true conditions", errors);
}

void check_interim_conditions(const Path& path, const Change& change, FieldErrors& errors) {
  const bool completes = change.in_condition("Complete"), fails = change.in_condition("Failed");
  if ((fails || change.in("failedIndexes")) && change.now("Failed") && !change.now("FailureTarget"))
    omitted(path, "cannot set Failed=True condition without the FailureTarget=true condition",
            errors);
  if ((completes || change.in_condition("SuccessCriteriaMet")) && change.now("Complete") &&
      !change.now("SuccessCriteriaMet"))
    omitted(path,
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
            errors);
}

void check_success_criteria(const Path& path, const Change& change, FieldErrors& errors) {
  const bool met = change.now("SuccessCriteriaMet");
  if (met && change.now("Failed"))
    omitted(path, "cannot set SuccessCriteriaMet=True and Failed=true conditions", errors);
  if (met && change.now("FailureTarget"))
    omitted(path, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions", errors);
  if (!change.job["spec"]["successPolicy"].is_null() && !met && change.now("Complete"))
    omitted(path,
            "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
            errors);
}

// What may not be taken back.
void check_lasting(const Path& path, const Change& change, FieldErrors& errors) {
  const Value &s = change.job["status"], &before = change.old["status"];
  const Value& spec = change.job["spec"];
  const Path conditions = path.child("conditions");
  for (const char* type : {"Failed", "Complete", "FailureTarget"})
    if (condition_is_true(change.old, type) && !change.now(type))
      omitted(conditions, "cannot disable the terminal " + std::string(type) + "=True condition",
              errors);
  // Indexed Jobs whose two numbers are equal may shrink, and take successes along.
  const bool elastic =
      text_of(spec, "completionMode") == "Indexed" && spec["completions"] == spec["parallelism"];
  for (const char* field : {"failed", "succeeded"})
    if (s[field].as_int() < before[field].as_int() &&
        !(elastic && std::string_view(field) == "succeeded"))
      errors.invalid(path.child(field), s[field].as_int(),
                     "cannot decrease the " + std::string(field) + " counter");
  if (!s["completionTime"].is_null() && !before["completionTime"].is_null() &&
      change.in("completionTime"))
    errors.invalid(path.child("completionTime"), s["completionTime"], "field is immutable");
  const bool resumes = condition_is_true(change.old, "Suspended") &&
                       condition_of(change.job, "Suspended")["status"].as_string() == "False";
  if (!before["startTime"].is_null() && change.in("startTime") && !spec["suspend"].as_bool() &&
      !resumes)
    errors.invalid(path.child("startTime"), s["startTime"],
                   "field is immutable for unsuspended job once set");
  const bool was_met = condition_is_true(change.old, "SuccessCriteriaMet");
  if (was_met && !change.now("SuccessCriteriaMet"))
    omitted(conditions, "cannot disable the SuccessCriteriaMet=True condition", errors);
  if (condition_is_true(change.old, "Complete") && !was_met && change.now("SuccessCriteriaMet"))
    omitted(conditions,
            "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions",
            errors);
}

}  // namespace

void omitted(const Path& path, std::string_view detail, FieldErrors& errors) {
  errors.add({FieldError::Type::invalid, path.text(), {}, std::string(detail), {}, true});
}

std::int64_t index_count(const std::string& text, std::int64_t completions, std::string& error) {
  if (text.empty()) return 0;
  std::int64_t total = 0;
  std::optional<std::int64_t> previous;
  for (const std::string& part : split(text, ',')) {
    const Interval i = interval_of(part, completions);
    if (!i.error.empty()) {
      error = i.error;
      return 0;
    }
    if (previous && *previous >= i.first) {
      error = "non-increasing order, previous: " + std::to_string(*previous) +
              ", current: " + std::to_string(i.first);
      return 0;
    }
    total += i.last - i.first + 1;
    previous = i.last;
  }
  return total;
}

void check_job_status(const Value& job, const Value& old, FieldErrors& errors) {
  const Path path("status");
  const Value& s = job["status"];
  const Change change{job, old};
  for (const char* field : {"active", "succeeded", "failed", "ready", "terminating"})
    check_not_negative(path.child(field), s[field], errors);
  check_uncounted(path.child("uncountedTerminatedPods"), s["uncountedTerminatedPods"], errors);
  check_conditions(path.child("conditions"), change, errors);
  check_times(path, change, errors);
  check_interim_conditions(path.child("conditions"), change, errors);
  check_ends(path, change, errors);
  check_indexes(path, change, errors);
  if ((change.finishes() || change.in("terminating")) && change.finished() &&
      s["terminating"].as_int() > 0)
    errors.invalid(path.child("terminating"), s["terminating"],
                   "terminating>0 is invalid for finished job");
  if ((change.in("ready") || change.in("active")) && s["ready"].as_int() > s["active"].as_int())
    errors.invalid(path.child("ready"), s["ready"], "cannot set more ready pods than active");
  check_success_criteria(path.child("conditions"), change, errors);
  check_lasting(path, change, errors);
}

}  // namespace keelson::model
