// pkg/apis/batch/validation.
#include <algorithm>
#include <optional>

#include "codec/json.h"
#include "model/cron_schedule.h"
#include "model/go_print.h"
#include "model/selector.h"
#include "model/time_zone.h"
#include "model/validation/jobs.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

bool is_indexed(const Value& spec) {
  return text_of(spec, "completionMode") == "Indexed";
}

std::string word_list(std::initializer_list<std::string_view> words) {
  std::string out;
  for (const std::string_view w : words) out += (out.empty() ? "" : " ") + quote(w);
  return "valid values: [" + out + ']';
}

void check_word(const Path& path, const Value& value, std::initializer_list<std::string_view> words,
                FieldErrors& errors) {
  if (empty_text(value))
    errors.required(path, word_list(words));
  else
    check_supported(path, value, words, errors);
}

void check_exit_codes(const Path& path, const Value& codes, const Names& containers,
                      FieldErrors& errors) {
  check_word(path.child("operator"), codes["operator"], {"In", "NotIn"}, errors);
  if (const Value& name = codes["containerName"];
      !name.is_null() && containers.count(name.str()) == 0)
    errors.invalid(path.child("containerName"), name,
                   "must be one of the container or initContainer names in the pod template");
  const Path values = path.child("values");
  const Value& list = codes["values"];
  if (list.empty())
    errors.invalid(values, list, "at least one value is required");
  else if (list.size() > 255)
    errors.too_many(values, static_cast<std::int64_t>(list.size()), 255);
  bool ordered = true;
  std::set<std::int64_t> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto code = list[i].as_int();
    if (text_of(codes, "operator") == "In" && code == 0)
      errors.invalid(values.index(i), code, "must not be 0 for the In operator");
    if (!seen.insert(code).second) errors.duplicate(values.index(i), code);
    if (i > 0 && list[i - 1].as_int() > code) ordered = false;
  }
  if (!ordered) errors.invalid(values, list, "must be ordered");
}

void check_failure_rule(const Path& path, const Value& rule, const Value& spec,
                        const Names& containers, FieldErrors& errors) {
  const std::string_view action = text_of(rule, "action");
  if (action == "FailIndex") {
    if (spec["backoffLimitPerIndex"].is_null())
      errors.invalid(path.child("action"), action, "requires the backoffLimitPerIndex to be set");
  } else {
    check_word(path.child("action"), rule["action"], {"Count", "FailIndex", "FailJob", "Ignore"},
               errors);
  }
  const Value &codes = rule["onExitCodes"], &conditions = rule["onPodConditions"];
  if (!codes.is_null()) check_exit_codes(path.child("onExitCodes"), codes, containers, errors);
  const Path patterns = path.child("onPodConditions");
  if (conditions.size() > 20)
    errors.too_many(patterns, static_cast<std::int64_t>(conditions.size()), 20);
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const Path at = patterns.index(i);
    check_qualified_name(at.child("type"), text_of(conditions[i], "type"), errors);
    check_word(at.child("status"), conditions[i]["status"], {"False", "True", "Unknown"}, errors);
  }
  if (!codes.is_null() && !conditions.empty())
    omitted(path, "specifying both OnExitCodes and OnPodConditions is not supported", errors);
  if (codes.is_null() && conditions.empty())
    omitted(path, "specifying one of OnExitCodes and OnPodConditions is required", errors);
}

void check_failure_policy(const Path& path, const Value& spec, FieldErrors& errors) {
  const Value& rules = spec["podFailurePolicy"]["rules"];
  const Path list = path.child("rules");
  if (rules.size() > 20) errors.too_many(list, static_cast<std::int64_t>(rules.size()), 20);
  Names containers;
  for (const char* kind : {"containers", "initContainers"})
    for (const Value& c : spec["template"]["spec"][kind].elements())
      containers.emplace(text_of(c, "name"));
  for (std::size_t i = 0; i < rules.size(); ++i)
    check_failure_rule(list.index(i), rules[i], spec, containers, errors);
}

void check_success_policy(const Path& path, const Value& spec, FieldErrors& errors) {
  const Value& rules = spec["successPolicy"]["rules"];
  const Path list = path.child("rules");
  const auto completions = spec["completions"].as_int();
  if (rules.empty())
    errors.required(list,
                    "at least one rules must be specified when the successPolicy is "
                    "specified");
  if (rules.size() > 20) errors.too_many(list, static_cast<std::int64_t>(rules.size()), 20);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Path at = list.index(i);
    const Value &count = rules[i]["succeededCount"], &indexes = rules[i]["succeededIndexes"];
    if (count.is_null() && indexes.is_null())
      errors.required(at, "at least one of succeededCount or succeededIndexes must be specified");
    std::int64_t total = 0;
    if (!indexes.is_null()) {
      const Path field = at.child("succeededIndexes");
      if (indexes.as_string().size() > 65536) errors.too_long(field, 65536);
      std::string error;
      total = index_count(indexes.str(), completions, error);
      if (!error.empty())
        errors.invalid(field, indexes, "error parsing succeededIndexes: " + error);
    }
    if (count.is_null()) continue;
    const Path field = at.child("succeededCount");
    check_not_negative(field, count, errors);
    if (count.as_int() > completions)
      errors.invalid(field, count,
                     "must be less than or equal to " + std::to_string(completions) +
                         " (the number of specified completions)");
    if (!indexes.is_null() && count.as_int() > total)
      errors.invalid(field, count,
                     "must be less than or equal to " + std::to_string(total) +
                         " (the number of indexes in the specified succeededIndexes field)");
  }
}

void check_indexed(const Path& path, const Value& spec, FieldErrors& errors) {
  const Value &completions = spec["completions"], &parallelism = spec["parallelism"],
              &failed = spec["maxFailedIndexes"];
  if (completions.is_null())
    errors.required(path.child("completions"), "when completion mode is Indexed");
  if (parallelism.as_int() > 100000)
    errors.invalid(path.child("parallelism"), parallelism,
                   "must be less than or equal to 100000 when completion mode is Indexed");
  if (!completions.is_null() && !failed.is_null() && failed.as_int() > completions.as_int())
    errors.invalid(path.child("maxFailedIndexes"), failed,
                   "must be less than or equal to completions");
  if (failed.as_int() > 100000)
    errors.invalid(path.child("maxFailedIndexes"), failed, "must be less than or equal to 100000");
  if (completions.as_int() <= 100000 || spec["backoffLimitPerIndex"].is_null()) return;
  constexpr std::string_view high =
      "must be less than or equal to 10000 when completions are above 100000 and used with "
      "backoff limit per index";
  if (failed.is_null())
    errors.required(path.child("maxFailedIndexes"),
                    "must be specified when completions is above 100000");
  if (parallelism.as_int() > 10000) errors.invalid(path.child("parallelism"), parallelism, high);
  if (failed.as_int() > 10000) errors.invalid(path.child("maxFailedIndexes"), failed, high);
}

void check_restart(const Path& path, const Value& spec, FieldErrors& errors) {
  const std::string_view policy = text_of(spec["template"]["spec"], "restartPolicy");
  const Path at = path.child("template.spec.restartPolicy");
  if (policy == "Always" || policy.empty())
    errors.required(at, "valid values: \"OnFailure\", \"Never\"");
  else if (policy != "OnFailure" && policy != "Never")
    errors.not_supported(at, policy, {"OnFailure", "Never"});
  else if (!spec["podFailurePolicy"].is_null() && policy != "Never")
    errors.invalid(at, policy, "only \"Never\" is supported when podFailurePolicy is specified");
}

void check_job_spec(const Path& path, const Value& spec, FieldErrors& errors) {
  for (const char* field : {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
                            "ttlSecondsAfterFinished", "backoffLimitPerIndex"})
    check_not_negative(path.child(field), spec[field], errors);
  const Value &failed = spec["maxFailedIndexes"], &limit = spec["backoffLimitPerIndex"];
  if (!failed.is_null()) {
    check_not_negative(path.child("maxFailedIndexes"), failed, errors);
    if (limit.is_null())
      errors.required(path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
  }
  if (const Value& manager = spec["managedBy"]; !manager.is_null()) {
    check_domain_prefixed_path(path.child("managedBy"), manager.as_string(), errors);
    if (manager.as_string().size() > 63) errors.too_long(path.child("managedBy"), 63);
  }
  if (!spec["completionMode"].is_null())
    check_supported(path.child("completionMode"), spec["completionMode"], {"NonIndexed", "Indexed"},
                    errors);
  if (is_indexed(spec)) check_indexed(path, spec, errors);
  const std::string_view mode = text_of(spec, "completionMode");
  if (spec["completionMode"].is_null() || mode == "NonIndexed")
    for (const char* field : {"backoffLimitPerIndex", "maxFailedIndexes"})
      if (!spec[field].is_null())
        errors.invalid(path.child(field), spec[field], "requires indexed completion mode");
  if (!spec["podFailurePolicy"].is_null())
    check_failure_policy(path.child("podFailurePolicy"), spec, errors);
  if (!spec["successPolicy"].is_null()) {
    if (is_indexed(spec))
      check_success_policy(path.child("successPolicy"), spec, errors);
    else
      errors.invalid_printed(
          path.child("successPolicy"),
          printed_internal("io.k8s.api.batch.v1.SuccessPolicy", spec["successPolicy"]),
          "requires indexed completion mode");
  }
  if (const Value& policy = spec["podReplacementPolicy"]; !policy.is_null()) {
    if (spec["podFailurePolicy"].is_null())
      check_supported(path.child("podReplacementPolicy"), policy, {"Failed", "TerminatingOrFailed"},
                      errors);
    else
      check_supported(path.child("podReplacementPolicy"), policy, {"Failed"}, errors);
  }
  check_pod_template(path.child("template"), spec["template"], errors);
  check_restart(path, spec, errors);
}

void check_has_label(const Path& metadata, const Value& labels, std::string_view key,
                     std::string_view wanted, FieldErrors& errors) {
  const Value* value = labels.find(key);
  const Path path = metadata.child("labels");
  const std::string detail = "must be '" + std::string(wanted) + "'";
  if (value == nullptr)
    errors.required(path.key(key), detail);
  else if (value->as_string() != wanted)
    errors.invalid(path.key(key), labels, detail);
}

void check_generated(const Value& job, FieldErrors& errors) {
  const Value& spec = job["spec"];
  if (spec["manualSelector"].as_bool() || spec["selector"].is_null()) return;
  const Path metadata("spec.template.metadata");
  const Value& labels = spec["template"]["metadata"]["labels"];
  const std::string uid = job["metadata"]["uid"].str(), name = job["metadata"]["name"].str();
  check_has_label(metadata, labels, "controller-uid", uid, errors);
  check_has_label(metadata, labels, "job-name", name, errors);
  check_has_label(metadata, labels, "batch.kubernetes.io/controller-uid", uid, errors);
  check_has_label(metadata, labels, "batch.kubernetes.io/job-name", name, errors);
  const Value expected = Value::object({{"batch.kubernetes.io/controller-uid", uid},
                                        {"batch.kubernetes.io/job-name", name},
                                        {"controller-uid", uid},
                                        {"job-name", name}});
  const auto selector = LabelSelector::of(spec["selector"]);
  if (selector && !selector->matches(expected))
    errors.invalid_printed(spec_path().child("selector"), printed_selector(spec["selector"]),
                           "`selector` not auto-generated");
}

void check_whole_job_spec(const Value& spec, FieldErrors& errors) {
  check_job_spec(spec_path(), spec, errors);
  const Path path = spec_path().child("selector");
  if (spec["selector"].is_null())
    errors.required(path);
  else
    check_label_selector(path, spec["selector"], errors);
  const Value& labels = spec["template"]["metadata"]["labels"];
  const auto selector = LabelSelector::of(spec["selector"]);
  if (selector && !selector->matches(labels))
    errors.invalid(spec_path().child("template.metadata.labels"), labels,
                   "`selector` does not match template `labels`");
}

void check_job(const Value& job, FieldErrors& errors) {
  const Value& spec = job["spec"];
  check_generated(job, errors);
  check_whole_job_spec(spec, errors);
  if (!is_indexed(spec) || spec["completions"].as_int() <= 0) return;
  const std::string host =
      job["metadata"]["name"].str() + '-' + std::to_string(spec["completions"].as_int() - 1);
  if (!dns1123_label_messages(host).empty())
    errors.invalid(Path("metadata.name"), job["metadata"]["name"].str(),
                   "will not able to create pod with invalid DNS label: " + host);
}

void check_completions(const Value& spec, const Value& old, FieldErrors& errors) {
  const Path path = spec_path().child("completions");
  const Value& now = spec["completions"];
  if (now == old["completions"]) return;
  if (!is_indexed(spec))
    errors.invalid(path, now, kImmutable);
  else if (!now.is_null() && now.as_int() != spec["parallelism"].as_int())
    errors.invalid(path, now, "can only be modified in tandem with spec.parallelism");
}

void immutable_printed(const char* field, std::string_view type, const Value& spec,
                       const Value& old, FieldErrors& errors) {
  if (spec[field] == old[field]) return;
  errors.invalid_printed(spec_path().child(field),
                         spec[field].is_null() ? "null" : printed_internal(type, spec[field]),
                         kImmutable);
}

// A suspended job that has not run may be aimed and sized anew.
bool is_mutable_template(const Value& old) {
  if (!old["spec"]["suspend"].as_bool()) return false;
  if (old["status"]["startTime"].is_null()) return true;
  return condition_is_true(old, "Suspended") && old["status"]["active"].as_int() == 0;
}

void check_job_template(const Value& job, const Value& old, FieldErrors& errors) {
  Value before = old["spec"]["template"];
  const Value& now = job["spec"]["template"];
  const bool open = is_mutable_template(old);
  if (open) {
    const auto take = [](Value& to, const Value& from, const char* field) {
      if (from.has(field))
        to.set(field, from[field]);
      else
        to.erase(field);
    };
    Value& spec = before.edit("spec");
    const Value &mine = now["spec"]["affinity"], &theirs = spec["affinity"];
    if (mine.is_null() && !theirs.is_null()) {
      spec.edit("affinity").erase("nodeAffinity");
      if (spec["affinity"].empty()) spec.erase("affinity");
    } else if (!mine.is_null()) {
      take(spec.edit("affinity"), mine, "nodeAffinity");
    }
    for (const char* field : {"nodeSelector", "tolerations", "schedulingGates"})
      take(spec, now["spec"], field);
    for (const char* field : {"annotations", "labels"})
      take(before.edit("metadata"), now["metadata"], field);
    for (const char* list : {"containers", "initContainers"})
      for (std::size_t i = 0;
           spec[list].size() == now["spec"][list].size() && i < spec[list].size(); ++i)
        if (spec[list][i]["name"] == now["spec"][list][i]["name"])
          take(spec.edit(list).edit(i), now["spec"][list][i], "resources");
  }
  const bool whole = !open;
  if (whole ? now == before : now["spec"] == before["spec"]) return;
  const Path path = spec_path().child(whole ? "template" : "template.spec");
  errors.invalid_printed(path,
                         whole ? printed_internal("io.k8s.api.core.v1.PodTemplateSpec", now)
                               : printed_internal("io.k8s.api.core.v1.PodSpec", now["spec"]),
                         kImmutable);
}

void update_job(const Value& job, const Value& old, FieldErrors& errors) {
  const Path metadata("metadata");
  const Value &spec = job["spec"], &before = old["spec"];
  check_kind_metadata(job["metadata"], true, subdomain_name, metadata, errors);
  check_job(job, errors);
  check_kind_metadata_update(job["metadata"], old["metadata"], metadata, errors);
  check_whole_job_spec(spec, errors);
  check_completions(spec, before, errors);
  if (!(spec["selector"] == before["selector"]))
    errors.invalid_printed(spec_path().child("selector"),
                           spec["selector"].is_null() ? "null" : printed_selector(spec["selector"]),
                           kImmutable);
  check_job_template(job, old, errors);
  check_immutable(spec_path().child("completionMode"), spec["completionMode"],
                  before["completionMode"], errors);
  immutable_printed("podFailurePolicy", "io.k8s.api.batch.v1.PodFailurePolicy", spec, before,
                    errors);
  for (const char* field : {"backoffLimitPerIndex", "managedBy"})
    check_immutable(spec_path().child(field), spec[field], before[field], errors);
  immutable_printed("successPolicy", "io.k8s.api.batch.v1.SuccessPolicy", spec, before, errors);
}

void check_time_zone(const Path& path, const Value& zone, FieldErrors& errors) {
  if (zone.is_null()) return;
  const std::string name = zone.str();
  if (name.empty()) {
    errors.invalid(path, zone, "timeZone must be nil or non-empty string");
    return;
  }
  for (const std::string& part : split(name, '/')) {
    const bool good = !part.empty() && part.size() <= 14 && part != "." && part != ".." &&
                      part[0] != '-' && std::all_of(part.begin(), part.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                               (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
                               c == '+';
                      });
    if (!good) {
      errors.invalid(path, zone, "unknown time zone " + name);
      return;
    }
  }
  if (to_lower(name) == "local")
    errors.invalid(path, zone,
                   "timeZone must be an explicit time zone as defined in "
                   "https://www.iana.org/time-zones");
  if (name != "Local" && !is_time_zone(name))
    errors.invalid(path, zone, "unknown time zone " + name);
}

void check_cron_spec(const Value& spec, const Value& old, FieldErrors& errors) {
  const std::string schedule = spec["schedule"].str();
  const Path path = spec_path().child("schedule");
  const bool zone_allowed = old["schedule"].str().find("TZ") != std::string::npos;
  if (schedule.empty()) {
    errors.required(path);
  } else {
    if (const std::string error = cron_schedule_error(schedule); !error.empty())
      errors.invalid(path, schedule, error);
    if (schedule.find("TZ") != std::string::npos) {
      if (!zone_allowed)
        errors.invalid(path, schedule,
                       "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
      else if (!spec["timeZone"].is_null())
        errors.invalid(path, schedule,
                       "cannot use both timeZone field and TZ or CRON_TZ in schedule");
    }
  }
  check_not_negative(spec_path().child("startingDeadlineSeconds"), spec["startingDeadlineSeconds"],
                     errors);
  if (old.is_null() || !(old["timeZone"] == spec["timeZone"]))
    check_time_zone(spec_path().child("timeZone"), spec["timeZone"], errors);
  check_one_of(spec_path().child("concurrencyPolicy"), spec["concurrencyPolicy"],
               {"Allow", "Forbid", "Replace"}, errors);
  const Value& job = spec["jobTemplate"]["spec"];
  const Path at = spec_path().child("jobTemplate.spec");
  check_job_spec(at, job, errors);
  if (!job["selector"].is_null())
    errors.invalid_printed(at.child("selector"), printed_selector(job["selector"]),
                           "`selector` will be auto-generated");
  if (job["manualSelector"].as_bool())
    errors.not_supported(at.child("manualSelector"), true, {"nil", "false"});
  for (const char* field : {"successfulJobsHistoryLimit", "failedJobsHistoryLimit"})
    check_not_negative(spec_path().child(field), spec[field], errors);
}

void check_cron_job(const Value& object, FieldErrors& errors) {
  check_cron_spec(object["spec"], Value(), errors);
  if (text_of(object["metadata"], "name").size() > 52)
    errors.invalid(Path("metadata.name"), object["metadata"]["name"],
                   "must be no more than 52 characters");
}

void update_cron_job(const Value& object, const Value& old, FieldErrors& errors) {
  check_cron_spec(object["spec"], old["spec"], errors);
}

}  // namespace

std::vector<KindRules> batch_rules() {
  return {
      {.resource = "jobs.batch",
       .create = check_job,
       .update = update_job,
       .status = check_job_status,
       .recheck = Recheck::custom},
      {.resource = "cronjobs.batch",
       .create = check_cron_job,
       .update = update_cron_job,
       .recheck = Recheck::none},
  };
}

}  // namespace keelson::model
