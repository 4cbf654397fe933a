#include "app/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "app/commands.h"

namespace keelson::app {
namespace {

// Reads "90s", "5m", "1h30m" into a Duration; CLI11 shows the error with the option's name.
CLI::Option* add_duration(CLI::App* command, const std::string& name, Duration& target,
                          const std::string& help) {
  return command
      ->add_option_function<std::string>(
          name,
          [&target](const std::string& text) {
            const auto parsed = parse_duration(text);
            if (!parsed || *parsed < Duration())
              throw CLI::ValidationError("\"" + text + "\" is no duration; write 30s, 5m or 1h30m");
            target = *parsed;
          },
          help)
      ->type_name("DURATION")
      ->default_str(to_text(target));
}

void add_format(CLI::App* command, bool& json) {
  command
      ->add_option_function<std::string>(
          "-o,--output", [&json](const std::string& format) { json = format == "json"; },
          "text or json")
      ->check(CLI::IsMember({"text", "json"}));
}

void add_common(CLI::App* command, CommonOptions& options, bool json = false) {
  command->add_option("--name", options.name, "Which engine: several can run side by side")
      ->capture_default_str();
  if (json) add_format(command, options.json);
}

// "keelson up: PATHS is required; keelson up --help says more"
std::string explain(const CLI::App* program, const CLI::Error& error) {
  std::string command = "keelson";
  // A group of options is a subcommand without a name.
  const auto is_command = [](const CLI::App* app) { return !app->get_name().empty(); };
  const auto is_given = [&](const CLI::App* app) { return is_command(app) && app->parsed(); };
  const CLI::App* app = program;
  for (auto given = app->get_subcommands(is_given); !given.empty();
       given = app->get_subcommands(is_given)) {
    app = given.front();
    command += " " + app->get_name();
  }
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr &&
      !app->get_subcommands(is_command).empty())
    return command + ": a command is required; " + command + " --help lists them\n";
  return command + ": " + error.what() + "; " + command + " --help says more\n";
}

// What kube-apiserver takes under the same names.
void add_api_options(CLI::App* app, ApiFiles& files) {
  CLI::Option_group* command = app->add_option_group("API server");
  command
      ->add_option("--max-requests-inflight", files.reads_max,
                   "With its twin below, the seats that priority levels share")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--max-mutating-requests-inflight", files.writes_max)
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command->add_option("--audit-policy-file", files.audit_policy,
                      "Policy of audit.k8s.io/v1: what is recorded");
  command->add_option("--audit-log-path", files.audit_log,
                      "File of the audit records; \"-\" is the error output");
  command
      ->add_option("--audit-log-maxsize", files.audit_log_megabytes_max,
                   "MB after which the audit log is begun anew")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--audit-log-maxbackup", files.audit_log_backups_max,
                   "Old audit logs that are kept; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--encryption-provider-config", files.encryption,
                      "EncryptionConfiguration: what the disk holds only encrypted");
  command->add_flag("--encryption-provider-config-automatic-reload", files.encryption_reload,
                    "Look every minute whether it has changed");
  command->add_option("--authentication-config", files.authentication,
                      "AuthenticationConfiguration: OIDC issuers, anonymous requests");
  command->add_option("--oidc-issuer-url", files.oidc_issuer, "One OIDC issuer");
  command->add_option("--oidc-client-id", files.oidc_client, "Audience of its tokens");
  command->add_option("--oidc-ca-file", files.oidc_ca, "Authority of its certificate");
  command->add_option("--oidc-username-claim", files.oidc_username_claim)->capture_default_str();
  command->add_option("--oidc-username-prefix", files.oidc_username_prefix,
                      "\"-\": none; the issuer and # if not given, but for email");
  command->add_option("--oidc-groups-claim", files.oidc_groups_claim);
  command->add_option("--oidc-groups-prefix", files.oidc_groups_prefix);
  command
      ->add_option("--oidc-signing-algs", files.oidc_algorithms,
                   "With commas: RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512")
      ->capture_default_str();
  command->add_option("--oidc-required-claim", files.oidc_required_claims,
                      "NAME=VALUE that tokens must carry");
  command->add_option("--requestheader-client-ca-file", files.proxy_ca,
                      "Authority of front proxies, whose headers say who asks");
  command->add_option("--requestheader-allowed-names", files.proxy_names,
                      "Common names of front proxies; none: all of their authority");
  command->add_option("--requestheader-username-headers", files.proxy_user_headers)
      ->capture_default_str();
  command->add_option("--requestheader-uid-headers", files.proxy_uid_headers)
      ->capture_default_str();
  command->add_option("--requestheader-group-headers", files.proxy_group_headers)
      ->capture_default_str();
  command->add_option("--requestheader-extra-headers-prefix", files.proxy_extra_prefixes)
      ->capture_default_str();
}

// The options of a group as they were given, to be passed on.
std::vector<std::string> given_options(const CLI::App* app, const std::string& group) {
  std::vector<std::string> out;
  for (const CLI::App* one : app->get_subcommands([&](const CLI::App* sub) {
         return sub->get_group() == group || sub->get_description() == group;
       }))
    for (const CLI::Option* option : one->get_options())
      for (const std::string& value : option->results())
        out.push_back("--" + option->get_lnames().at(0) + "=" + value);
  return out;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App program(
      "Keelson: a whole Kubernetes platform in one program. Run it, break it, prove it, ship it.",
      "keelson");
  program.require_subcommand(1);
  program.failure_message(explain);
  int code = 0;

  UpOptions up;
  auto* command = program.add_subcommand(
      "up", "Start the engine if needed, apply manifests, wait until all is ready");
  command
      ->add_option("PATHS", up.paths,
                   "Directories and files of Kubernetes manifests; -: standard input")
      ->required();
  add_common(command, up.common);
  add_duration(command, "--timeout", up.timeout, "How long to wait until all is ready");
  command->add_option("--listen", up.listen, "ADDR:PORT of the API when the engine is started");
  command->add_flag("!--no-wait", up.wait, "Return once everything is applied");
  ApiFiles up_files;
  add_api_options(command, up_files);
  command->callback([&, command] {
    up.api_options = given_options(command, "API server");
    code = command_up(up);
  });

  CommonOptions status;
  command = program.add_subcommand("status", "Show workloads, addresses, and what is not well");
  add_common(command, status, true);
  command->callback([&] { code = command_status(status); });

  CommonOptions down;
  command = program.add_subcommand("down", "Stop the engine and its pods; keep the state");
  add_common(command, down);
  command->callback([&] { code = command_down(down); });

  CommonOptions remove;
  bool force = false;
  command = program.add_subcommand("delete", "Stop the engine and remove its state");
  add_common(command, remove);
  command->add_flag("--force", force, "Remove the state even if the engine does not stop");
  command->callback([&] { code = command_delete(remove, force); });

  LogsOptions logs;
  command = program.add_subcommand("logs", "Show the log of a pod, or of the engine itself");
  command->add_option("TARGET", logs.target,
                      "[NAMESPACE/]POD or [NAMESPACE/]deploy/NAME; none: the engine");
  add_common(command, logs.common);
  command->add_option("-c,--container", logs.container, "Which container of the pod");
  command->add_flag("-f,--follow", logs.follow, "Go on as the log grows");
  command->add_flag("-p,--previous", logs.previous, "Of the container before its last restart");
  command->add_option("--tail", logs.tail, "Only so many lines from the end");
  command->callback([&] { code = command_logs(logs); });

  CommonOptions kubeconfig;
  command = program.add_subcommand("kubeconfig", "Print a kubeconfig for the engine");
  add_common(command, kubeconfig);
  command->callback([&] { code = command_kubeconfig(kubeconfig); });

  ImageOptions image;
  auto* images =
      program.add_subcommand("image", "Load, list and remove images of the engine's store");
  images->require_subcommand(1);
  command = images->add_subcommand("load", "Load what docker save or skopeo wrote");
  command->add_option("FILES", image.names, "Archives (tar, docker or OCI) or OCI directories")
      ->required();
  add_common(command, image.common);
  command->add_option("--as", image.as, "Name of the image, instead of the archive's");
  command->callback([&] { code = command_image_load(image); });
  command = images->add_subcommand("list", "List the images of the store");
  add_common(command, image.common, true);
  command->callback([&] { code = command_image_list(image); });
  command = images->add_subcommand("remove", "Remove images that no container uses");
  command->add_option("IMAGES", image.names, "Their names")->required();
  add_common(command, image.common);
  command->callback([&] { code = command_image_remove(image); });

  LoadOptions load;
  command = program.add_subcommand(
      "load", "Send HTTP requests at a fixed rate and show latency percentiles");
  command->add_option("URL", load.url, "http:// or https://")->required();
  command->add_option("--rps", load.requests_per_second, "Requests a second")
      ->capture_default_str();
  add_duration(command, "--for", load.duration, "How long");
  add_duration(command, "--timeout", load.timeout, "Limit of one request");
  command->add_option("-H,--header", load.headers, "\"Name: value\", may be repeated")
      ->allow_extra_args(false);
  command->add_option("--resolve", load.resolve, "HOST:PORT:ADDRESS, as curl's")
      ->allow_extra_args(false);
  command->add_option("-X,--method", load.method, "HTTP method")->capture_default_str();
  command->add_option("--body", load.body, "Body of each request");
  command->add_option("--connections", load.connections_max, "Most requests in flight")
      ->capture_default_str();
  command->add_flag("-k,--insecure", load.insecure, "Accept any certificate");
  command->add_flag("-q,--quiet", load.quiet, "No live line");
  add_format(command, load.json);
  command->callback([&] { code = command_load(load); });

  ServeOptions serve;
  command = program.add_subcommand("serve", "Run the engine in the foreground until SIGTERM");
  add_common(command, serve.common);
  command->add_option("--data", serve.data, "Directory of the state");
  command->add_option("--listen", serve.listen,
                      "ADDR:PORT of the API; port 0 or none: as before, else a free one");
  command->add_option("--kubeconfig", serve.kubeconfig,
                      "Write a kubeconfig here once the API is ready");
  command
      ->add_option("--controllers", serve.controllers,
                   "all, none (a bare API server), or names with commas")
      ->capture_default_str();
  add_api_options(command, serve.files);
  command->callback([&] { code = command_serve(serve); });

  SimulateOptions simulate;
  command = program.add_subcommand(
      "simulate", "Play a scenario in virtual time; exit 0 only if all it expects holds");
  command->add_option("SCENARIO", simulate.scenario, "A scenario file")->required();
  command->add_option_function<unsigned long>(
      "--seed",
      [&](unsigned long seed) {
        simulate.seed = seed;
        simulate.seed_given = true;
      },
      "Seed of all chance; default: the scenario's own");
  command->add_flag("--update", simulate.update, "Write the trace under ---- anew");
  command->add_flag("-v,--verbose", simulate.verbose, "Print every change as it happens");
  command->callback([&] { code = command_simulate(simulate); });

  CommonOptions version;
  command = program.add_subcommand("version", "Print the version");
  add_format(command, version.json);
  command->callback([&] { code = command_version(version); });

  auto* test =
      program.add_subcommand("test", "Play recordings: what the real thing answered and decided");
  test->require_subcommand(1);
  GoldenOptions golden;
  command =
      test->add_subcommand("golden", "Play recordings of every kind found in files and folders");
  command->add_option("PATHS", golden.paths, "Files and folders")->required();
  command->add_option("--floors", golden.floors,
                      "File of the least number of equal ones per category");
  command->add_option("--only", golden.only, "Only cases whose name begins so");
  command->add_option("--show", golden.show, "How many differences to print")
      ->capture_default_str();
  command->add_option("--kubeconfig", golden.kubeconfig,
                      "Play API conversations against this server");
  command->callback([&] { code = command_test_golden(golden); });

  program.add_subcommand("help", "Print this help, or that of a command");
  if (argc >= 2 && std::string_view(argv[1]) == "help") {
    // Asked before parsing, which would choose the help of "help".
    const CLI::App* about = &program;
    std::string above;
    for (int i = 2; i < argc; ++i) {
      above += (above.empty() ? "" : " ") + about->get_name();
      const auto below =
          about->get_subcommands([&](const CLI::App* app) { return app->check_name(argv[i]); });
      about = below.empty() ? nullptr : below.front();
      if (about == nullptr) {
        std::cerr << above << ": no command \"" << argv[i] << "\"; keelson help lists them\n";
        return 2;
      }
    }
    std::cout << about->help(above);
    return 0;
  }

  const auto commands = program.get_subcommands([](const CLI::App*) { return true; });
  if (argc > 1 && argv[1][0] != '-' &&
      std::none_of(commands.begin(), commands.end(),
                   [&](const CLI::App* c) { return c->check_name(argv[1]); })) {
    std::cerr << "keelson: no command \"" << argv[1] << "\"; keelson help lists them\n";
    return 2;
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int parse_code = program.exit(error);
    return parse_code == 0 ? 0 : 2;
  }
  return code;
}

}  // namespace keelson::app
