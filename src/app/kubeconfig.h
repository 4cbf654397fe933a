// The kubeconfig of the user and those that engines write. Other entries of a file are kept as they
// are.
#pragma once

#include <string>

#include "app/client.h"
#include "base/result.h"

namespace keelson::app {

// KUBECONFIG's first file, else ~/.kube/config.
std::string user_kubeconfig_path();

// The endpoint of a context (empty: the current one). Errors name the file.
Result<Endpoint> read_kubeconfig(const std::string& path, const std::string& context = {});

// Adds or replaces cluster, user and context of this name in the file, atomically, under a lock,
// keeping all else. The current context stays, unless there was none. Error: bad_request if the
// file is no kubeconfig (it is left alone).
Result<void> add_context(const std::string& path, const std::string& name,
                         const Endpoint& endpoint);
// Takes them out again; a current context of this name is cleared.
Result<void> remove_context(const std::string& path, const std::string& name);

// A whole kubeconfig with this one context.
std::string kubeconfig_text(const std::string& name, const Endpoint& endpoint);

}  // namespace keelson::app
