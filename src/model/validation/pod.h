// The rules on pods in parts, for the kinds that hold pod templates and volumes.
#pragma once

#include <map>
#include <string>

#include "model/validation/common.h"

namespace keelson::model {

using Volumes = std::map<std::string, const Value*, std::less<>>;  // by name, those that are valid
using Names = std::set<std::string, std::less<>>;

// `metadata` is the pod's, or null for a template.
// Of a whole pod: annotations and spec, as creation and every update check them.
void check_pod(const Value& pod, FieldErrors& errors);
// The status subresource.
void check_pod_status(const Value& pod, const Value& old, FieldErrors& errors);
// Annotations of a pod that no update may change.
void check_annotation_changes(const Value& now, const Value& before, FieldErrors& errors);

Volumes check_volumes(const Path& path, const Value& volumes, const Value& metadata,
                      FieldErrors& errors);
void check_pod_spec(const Path& path, const Value& spec, const Value& metadata,
                    FieldErrors& errors);
void check_pod_template(const Path& path, const Value& pod_template, FieldErrors& errors);

void check_pod_annotations(const Path& path, const Value& annotations, const Value& spec,
                           FieldErrors& errors);
// Old annotations for seccomp and AppArmor must say what the fields say.
void check_profile_annotations(const Path& path, const Value& annotations, const Value& spec,
                               FieldErrors& errors);

struct ContainerContext {
  const Value& spec;
  const Volumes& volumes;
  const Names& claims;
};
void check_containers(const Path& path, const ContainerContext& context, FieldErrors& errors);
void check_init_containers(const Path& path, const ContainerContext& context, FieldErrors& errors);
void check_ephemeral_containers(const Path& path, const ContainerContext& context,
                                FieldErrors& errors);

// Containers, pods and claims: requests and limits.
void check_resources(const Path& path, const Value& resources, const Names* claims, bool pod_level,
                     FieldErrors& errors);
void check_security_context(const Path& path, const Value& context, bool host_users,
                            FieldErrors& errors);
void check_seccomp_profile(const Path& path, const Value& profile, FieldErrors& errors);
void check_app_armor_profile(const Path& path, const Value& profile, FieldErrors& errors);
void check_windows_options(const Path& path, const Value& options, FieldErrors& errors);

// The downward API: a field of the pod, a resource of a container.
void check_field_reference(const Path& path, const Value& reference,
                           std::initializer_list<std::string_view> fields, FieldErrors& errors);
void check_resource_field(const Path& path, const Value& reference, bool in_volume,
                          FieldErrors& errors);

// Parts of volumes that persistent volumes have too.
void check_no_backsteps(const Path& path, std::string_view target, FieldErrors& errors);
void check_descending_path(const Path& path, std::string_view target, FieldErrors& errors);
void check_volume_part(std::string_view source, const Path& path, const Value& value,
                       FieldErrors& errors);
void check_iscsi_name(const Path& path, std::string_view name, bool long_message,
                      FieldErrors& errors);
void check_csi_driver_name(const Path& path, std::string_view name, FieldErrors& errors);
// Of a persistent volume, or one that stands within an attachment.
void check_volume_spec(const Path& path, const Value& spec, std::string_view name, bool inline_spec,
                       FieldErrors& errors);
void check_claim_spec(const Path& path, const Value& spec, FieldErrors& errors);

// Nodes.
void check_node_selector(const Path& path, const Value& selector, FieldErrors& errors);
void check_affinity(const Path& path, const Value& affinity, FieldErrors& errors);
void check_spread(const Path& path, const Value& constraints, FieldErrors& errors);
void check_tolerations(const Path& path, const Value& tolerations, FieldErrors& errors);
void check_resource_quantity(const Path& path, std::string_view name, const Value& quantity,
                             FieldErrors& errors);
void check_resource_name(const Path& path, std::string_view name, FieldErrors& errors);
void check_qualified_resource_name(const Path& path, std::string_view name, FieldErrors& errors);
bool is_integer_resource(std::string_view name);
bool is_native_resource(std::string_view name);
bool is_huge_page_resource(std::string_view name);
bool is_extended_resource(std::string_view name);

}  // namespace keelson::model
