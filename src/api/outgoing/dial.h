// Ways to a server that we are the client of: a socket, a port of a pod through its node, and TLS
// over either. What is forwarded and what is asked (proxies, webhooks, aggregated APIs) knows only
// the Stream that comes of it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/http/tls.h"
#include "api/sessions/remote_session.h"
#include "base/result.h"
#include "host/sockets.h"

namespace keelson::api {

using Dialed = std::function<void(Result<std::unique_ptr<host::Stream>>)>;

// Makes one connection. `dialed` is called once, at once or later; dropping the handle before ends
// the attempt, and nothing is called. Errors are worded as Go's net and crypto/tls do.
using Dial = std::function<std::shared_ptr<void>(Dialed dialed)>;

Dial dial_socket(host::Sockets& sockets, const std::string& address, int port);
// The stream is there at once; that the port refuses shows as its end, and `problem` then says why.
Dial dial_pod(StartForward start, int port, std::shared_ptr<std::string> problem);
// `host` is whose certificate is expected.
Dial dial_tls(Dial below, std::shared_ptr<const TlsContext> context, const std::string& host);

}  // namespace keelson::api
