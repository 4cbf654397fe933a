// Every outcome goes back to the machine and schedules one sync; syncs never nest.
#include "node/pod_runner.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "codec/texts.h"
#include "model/meta.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

constexpr Duration kCommitWait =
    Duration::milliseconds(200);  // after a refusal; then twice as long
constexpr Duration kCommitWaitMax = Duration::seconds(30);
constexpr int kRefusalsToTell = 5;

Value deleting_copy(const Value& pod, Instant now) {
  Value copy = pod;
  copy.edit("metadata").set("deletionTimestamp", to_rfc3339(now));
  copy.edit("metadata").set("deletionGracePeriodSeconds", 0);
  return copy;
}

bool is_builtin(const ContainerRun& run) {
  return run.image_id.starts_with("stand-in:builtin:");
}

ProbeOutcome outcome_of(const Result<ExecOutcome>& result, const std::vector<std::string>& argv,
                        Duration timeout) {
  using Verdict = ProbeOutcome::Verdict;
  if (!result.ok()) return {Verdict::error, result.error().message};
  if (result->timed_out)
    return {Verdict::failure, "command timed out: " + quote(join(argv, " ")) + " timed out after " +
                                  to_text(timeout)};
  return {result->code == 0 ? Verdict::success : Verdict::failure, result->output};
}

}  // namespace

PodRunner::PodRunner(NodeContext& context, Value pod, std::function<void()> on_over)
    : context_(context),
      on_over_(std::move(on_over)),
      uid_(model::uid_of(pod)),
      machine_(
          {.host_address = context.host_address, .runtime = std::string(context.driver.name())},
          std::move(pod), context.cluster.now()) {}

PodRunner::~PodRunner() = default;

void PodRunner::adopt(const RecoveredPod& recovered) {
  machine_.adopt(recovered.sandbox, recovered.runs, context_.cluster.now());
}

void PodRunner::begin() {
  schedule(context_.cluster.now());
}

void PodRunner::pod_changed(const Value& pod) {
  // The answer to a commit may have been quicker than the watch.
  const auto known = parse_int(model::revision_of(machine_.pod()));
  const auto news = parse_int(model::revision_of(pod));
  if (known && news && *news < *known) return;
  const bool metadata =
      !(machine_.pod()["metadata"]["labels"] == pod["metadata"]["labels"]) ||
      !(machine_.pod()["metadata"]["annotations"] == pod["metadata"]["annotations"]);
  machine_.set_pod(pod);
  commit_at_ = Instant();
  if (metadata && !volumes_.empty()) set_up_volumes();
  changed();
}

void PodRunner::pod_removed() {
  removed_ = true;
  machine_.set_pod(deleting_copy(machine_.pod(), context_.cluster.now()));
  changed();
}

void PodRunner::source_changed(std::string_view resource, std::string_view name) {
  if (!refers_to(machine_.pod(), resource, name)) return;
  machine_.retry_soon(context_.cluster.now());
  if (!volumes_.empty()) set_up_volumes();
  changed();
}

void PodRunner::container_exited(const std::string& run_id, const ContainerExit& exit) {
  machine_.container_exited(run_id, exit);
  changed();
}

void PodRunner::power_lost() {
  const Instant now = context_.cluster.now();
  std::vector<std::string> ids;
  for (const ContainerRun& run : machine_.runs())
    if (!run.exited()) ids.push_back(run.id);
  for (const std::string& id : ids) {
    context_.driver.signal(id, 9);
    machine_.container_exited(id, {.code = 137, .signal = 9, .message = {}, .at = now});
  }
  machine_.sandbox_lost();
  dirty_ = true;
}

void PodRunner::changed() {
  dirty_ = true;
  schedule(context_.cluster.now());
}

void PodRunner::schedule(Instant at) {
  if (at >= timer_at_ || over_) return;
  timer_at_ = at;
  if (syncing_) return;
  timer_ = context_.cluster.call_at(at, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->sync();
  });
}

void PodRunner::sync() {
  syncing_ = true;
  timer_at_ = Instant::max();
  const Decision decision = machine_.step(context_.cluster.now());
  if (decision.changed()) dirty_ = true;
  for (const Notice& notice : decision.notices) report(notice);
  for (const Action& action : decision.actions) carry_out(action);
  syncing_ = false;
  // An outcome that came at once has asked for another round.
  const Instant next = std::min(std::exchange(timer_at_, Instant::max()), decision.wake_at);
  if (next != Instant::max()) schedule(next);
  if (dirty_) commit_status();
  if (removed_ && machine_.is_over() && !over_) {
    over_ = true;
    context_.driver.purge(uid_);
    on_over_();
  }
}

void PodRunner::carry_out(const Action& action) {
  using Kind = Action::Kind;
  switch (action.kind) {
    case Kind::set_up_volumes: return set_up_volumes();
    case Kind::create_sandbox: return create_sandbox(action);
    case Kind::ensure_image: return ensure_image(action);
    case Kind::start_container: return start_container(action);
    case Kind::run_post_start: return run_hook(action, true);
    case Kind::run_pre_stop: return run_hook(action, false);
    case Kind::signal: return context_.driver.signal(action.run_id, action.signal);
    case Kind::probe: return run_probe(action);
    case Kind::remove_container:
      return context_.driver.remove_container(machine_.pod(), action.run_id);
    case Kind::tear_down: return tear_down();
    case Kind::delete_pod:
      removing_ = true;
      dirty_ = true;
      return;
  }
}

PodFacts PodRunner::facts() const {
  PodFacts facts;
  facts.address =
      uses_host_network(machine_.pod()) ? context_.host_address : machine_.sandbox().address;
  facts.host_address = context_.host_address;
  facts.node_name = context_.node_name;
  facts.allocatable = context_.allocatable;
  return facts;
}

void PodRunner::set_up_volumes() {
  const Instant now = context_.cluster.now();
  const VolumeSources sources{context_.cluster, context_.tokens, context_.node_name,
                              context_.host_address, now};
  Result<std::vector<Volume>> made = volumes_of(machine_.pod(), sources);
  if (!made.ok()) {
    machine_.volumes_failed(made.error().message, now);
    return changed();
  }
  volumes_ = std::move(made).value();
  Instant renew_at = Instant::max();
  for (const Volume& volume : volumes_) renew_at = std::min(renew_at, volume.renew_at);
  volumes_timer_.reset();
  if (renew_at != Instant::max())
    volumes_timer_ = context_.cluster.call_at(renew_at, [weak = weak_from_this()] {
      if (const auto self = weak.lock(); self && !self->machine_.is_over()) self->set_up_volumes();
    });
  context_.driver.set_up_volumes(
      machine_.pod(), volumes_, [weak = weak_from_this()](Result<void> result) {
        const auto self = weak.lock();
        if (!self) return;
        if (result.ok())
          self->machine_.volumes_ready();
        else
          self->machine_.volumes_failed(result.error().message, self->context_.cluster.now());
        self->changed();
      });
}

void PodRunner::create_sandbox(const Action& action) {
  context_.driver.create_sandbox(
      machine_.pod(), action.attempt, [weak = weak_from_this()](Result<Sandbox> sandbox) {
        const auto self = weak.lock();
        if (!self) return;
        if (sandbox.ok())
          self->machine_.sandbox_ready(std::move(sandbox).value());
        else
          self->machine_.sandbox_failed(sandbox.error().message, self->context_.cluster.now());
        self->changed();
      });
}

void PodRunner::ensure_image(const Action& action) {
  context_.images.ensure(
      machine_.pod(), container_named(machine_.pod(), action.container),
      [weak = weak_from_this(), name = action.container](ImageOutcome outcome, Image image) {
        const auto self = weak.lock();
        if (!self) return;
        self->images_[name] = std::move(image);
        self->machine_.image_done(name, outcome, self->context_.cluster.now());
        self->changed();
      });
}

void PodRunner::start_container(const Action& action) {
  const Value& pod = machine_.pod();
  ContainerRequest request;
  request.pod = pod;
  request.container = container_named(pod, action.container);
  request.run_id = action.run_id;
  request.attempt = action.attempt;
  request.sandbox = machine_.sandbox();
  request.image = images_[action.container];
  request.volumes = volumes_;
  Result<Environment> environment =
      environment_of(context_.cluster, pod, request.container, facts());
  if (!environment.ok()) {
    machine_.start_failed(action.run_id, true, environment.error().message, context_.cluster.now());
    return changed();
  }
  const Image& image = request.image;
  machine_.set_image(action.run_id, image.name, image.id);
  request.argv = argv_of(request.container, image.entrypoint, image.command, *environment);
  request.environment = std::move(environment).value();
  request.working_directory = request.container.has("workingDir")
                                  ? request.container["workingDir"].str()
                                  : image.working_directory;
  context_.driver.start(std::move(request), [weak = weak_from_this(),
                                             id = action.run_id](Result<StartedContainer> result) {
    const auto self = weak.lock();
    if (!self) return;
    const Instant now = self->context_.cluster.now();
    if (result.ok())
      self->machine_.container_started(id, now, result->user, result->group);
    else
      self->machine_.start_failed(id, false, result.error().message, now);
    self->changed();
  });
}

NetworkProbe PodRunner::network_probe(const Value& handler, const Value& container,
                                      const std::string& run_id) const {
  NetworkProbe probe;
  probe.sandbox = machine_.sandbox();
  if (uses_host_network(machine_.pod())) probe.sandbox.address = context_.host_address;
  probe.run_id = run_id;
  if (const Value& get = handler["httpGet"]; get.is_object()) {
    probe.kind = NetworkProbe::Kind::http;
    probe.host = get["host"].str();
    probe.port = resolve_port(get["port"], container);
    probe.tls = get["scheme"].as_string() == "HTTPS";
    probe.path = get["path"].str();
    if (!probe.path.starts_with("/")) probe.path.insert(0, "/");
    for (const Value& header : get["httpHeaders"].elements())
      probe.headers.emplace_back(header["name"].str(), header["value"].str());
  } else if (const Value& grpc = handler["grpc"]; grpc.is_object()) {
    probe.kind = NetworkProbe::Kind::grpc;
    probe.port = static_cast<int>(grpc["port"].as_int());
    probe.service = grpc["service"].str();
  } else {
    const Value& tcp = handler["tcpSocket"];
    probe.kind = NetworkProbe::Kind::tcp;
    probe.host = tcp["host"].str();
    probe.port = resolve_port(tcp["port"], container);
  }
  return probe;
}

void PodRunner::run_probe(const Action& action) {
  const ContainerRun* run = machine_.run(action.run_id);
  if (run == nullptr) return;
  const Value& container = container_named(machine_.pod(), run->container);
  const Value& spec = container[field_of(action.probe)];
  const Duration timeout =
      Duration::seconds(std::max<std::int64_t>(1, spec["timeoutSeconds"].as_int(1)));
  const auto done = [weak = weak_from_this(), id = action.run_id,
                     kind = action.probe](const ProbeOutcome& outcome) {
    const auto self = weak.lock();
    if (!self) return;
    const Instant now = self->context_.cluster.now();
    if (self->machine_.probe_done(id, kind, outcome, now)) self->dirty_ = true;
    self->schedule(now);
  };
  if (spec.has("exec") && is_builtin(*run)) {
    // The command belongs to an image that is not there: the stand-in lives, or it does not.
    const std::int64_t port = container["ports"][0]["containerPort"].as_int();
    if (port == 0) return done({});
    NetworkProbe alive;
    alive.sandbox = machine_.sandbox();
    alive.run_id = action.run_id;
    alive.port = static_cast<int>(port);
    alive.timeout = timeout;
    return context_.driver.probe(alive, done);
  }
  if (spec.has("exec")) {
    std::vector<std::string> argv = codec::texts_of(spec["exec"]["command"]);
    context_.driver.exec(action.run_id, argv, timeout,
                         [done, argv, timeout](Result<ExecOutcome> result) {
                           done(outcome_of(result, argv, timeout));
                         });
    return;
  }
  NetworkProbe probe = network_probe(spec, container, action.run_id);
  probe.timeout = timeout;
  context_.driver.probe(probe, done);
}

void PodRunner::run_hook(const Action& action, bool post_start) {
  const Value& container = container_named(machine_.pod(), action.container);
  const Value& handler = container["lifecycle"][post_start ? "postStart" : "preStop"];
  const Duration limit = post_start ? Duration::hours(24) : grace_of(machine_.pod());
  const std::string where = " for Container " + quote(action.container) + " in Pod " +
                            quote(pod_text(machine_.pod())) + " failed - error: ";
  const auto done = [weak = weak_from_this(), id = action.run_id, post_start](
                        bool ok, const std::string& message) {
    const auto self = weak.lock();
    if (!self) return;
    self->machine_.hook_done(id, post_start, ok, message, self->context_.cluster.now());
    self->changed();
  };
  if (handler.has("exec")) {
    std::vector<std::string> argv = codec::texts_of(handler["exec"]["command"]);
    const std::string lead = "Exec lifecycle hook (" + go_list(argv) + ")" + where;
    const ContainerRun* run = machine_.run(action.run_id);
    const bool builtin = run != nullptr && is_builtin(*run);
    context_.driver.exec(
        action.run_id, argv, limit, [done, lead, builtin](Result<ExecOutcome> result) {
          if (!result.ok()) return done(false, lead + result.error().message);
          // A program of an image that is not there.
          if (builtin && result->output.find("executable file") != std::string::npos)
            return done(true, "");
          done(result->code == 0, lead + "command exited with " + std::to_string(result->code) +
                                      ", message: " + quote(result->output));
        });
  } else if (handler.has("sleep")) {
    const Instant at =
        context_.cluster.now() + Duration::seconds(handler["sleep"]["seconds"].as_int());
    sleeps_[action.run_id] = context_.cluster.call_at(at, [done] { done(true, ""); });
  } else if (handler.has("httpGet")) {
    NetworkProbe probe = network_probe(handler, container, action.run_id);
    probe.timeout = limit;
    probe.user_agent = "kube-lifecycle/1.36";
    const std::string lead = "HTTP lifecycle hook (" + probe.path + ")" + where;
    context_.driver.probe(probe, [done, lead](const ProbeOutcome& outcome) {
      // Any answer will do: only a server that cannot be reached fails the hook.
      const bool answered = outcome.verdict == ProbeOutcome::Verdict::success ||
                            outcome.output.starts_with("HTTP probe failed with statuscode");
      done(answered, lead + outcome.output);
    });
  } else {
    done(false, "Cannot run handler: invalid handler");
  }
}

void PodRunner::tear_down() {
  volumes_timer_.reset();
  context_.driver.tear_down(machine_.pod(), machine_.sandbox(), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->machine_.torn_down();
    self->changed();
  });
}

void PodRunner::report(const Notice& notice) {
  cluster::EventNote note;
  note.regarding = machine_.pod();
  note.warning = notice.warning;
  note.reason = notice.reason;
  note.message = notice.message;
  if (!notice.container.empty()) note.field_path = field_path_of(machine_.pod(), notice.container);
  context_.cluster.note(std::move(note), "kubelet");
}

// One write at a time; what changes meanwhile goes out with the next one.
void PodRunner::commit_status() {
  if (committing_ || removed_ || context_.cluster.now() < commit_at_) return;
  const Value& pod = machine_.pod();
  Value patch = status_patch(pod["status"], machine_.status(context_.cluster.now()));
  dirty_ = false;
  if (patch.is_null()) {
    if (removing_) commit_removal();
    return;
  }
  cluster::Write write;
  write.verb = cluster::Write::Verb::merge_patch;
  write.resource = "pods";
  write.namespace_ = std::string(model::namespace_of(pod));
  write.name = std::string(model::name_of(pod));
  write.subresource = "status";
  write.object = std::move(patch);
  write.uid = uid_;
  write.revision = std::string(model::revision_of(pod));
  write.field_manager = "kubelet";
  committing_ = true;
  context_.cluster.commit(std::move(write), [weak = weak_from_this()](Result<Value> result) {
    const auto self = weak.lock();
    if (!self) return;
    self->committing_ = false;
    if (result.ok()) {
      self->accepted();
      // Ours is at least as new as what the watch has brought so far.
      self->machine_.set_pod(std::move(result).value());
      if (self->dirty_ || self->removing_) self->changed();
      return;
    }
    if (result.error().reason == Reason::not_found) return;
    self->dirty_ = true;
    self->refused("status", result.error());
  });
}

void PodRunner::commit_removal() {
  removing_ = false;
  const Value& pod = machine_.pod();
  cluster::Write write;
  write.verb = cluster::Write::Verb::remove;
  write.resource = "pods";
  write.namespace_ = std::string(model::namespace_of(pod));
  write.name = std::string(model::name_of(pod));
  write.uid = uid_;
  write.grace_seconds = 0;
  context_.cluster.commit(std::move(write), [weak = weak_from_this()](Result<Value> result) {
    const auto self = weak.lock();
    if (!self || result.ok() || result.error().reason == Reason::not_found) return;
    self->removing_ = true;
    self->refused("removal", result.error());
  });
}

void PodRunner::accepted() {
  refusals_ = 0;
  commit_at_ = Instant();
  problem_.clear();
}

// Longer and longer waits, until somebody else changes the pod: then at once.
void PodRunner::refused(std::string_view what, const Error& error) {
  Duration wait = kCommitWait;
  for (int i = 0; i < refusals_ && wait < kCommitWaitMax; ++i) wait = wait * 2;
  ++refusals_;
  commit_at_ = context_.cluster.now() + std::min(wait, kCommitWaitMax);
  if (refusals_ >= kRefusalsToTell)
    problem_ = "the " + std::string(what) + " of pod " + pod_text(machine_.pod()) +
               " is refused: " + error.message;
  retry_ = context_.cluster.call_at(commit_at_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->changed();
  });
}

}  // namespace keelson::node
