// The keeper: a small process beside the engine that is the parent of every container of its nodes.
// It outlives the engine (kill -9 included), so that logs have a reader and exit codes somebody who
// sees them; a new engine finds it by its socket. docs/design/node.md says why it is one process
// and not a shim for each container.
//
// It holds a mount namespace of its own (overlays, no unified cgroup hierarchy on hybrid hosts) and
// decides nothing. Requests and answers are lines of JSON on a unix stream socket:
//   {"id":1,"op":"hello"}                            -> {"id":1,"ok":true,"pid":77,"version":1}
//   {"id":2,"op":"sandbox","dir":D,"hostname":H,"network":P,"own_network":B,"address":A}
//   {"id":3,"op":"mount","mounts":[{"type","source","target","data","flags"}]}
//   {"id":4,"op":"unmount","targets":[...]}
//   {"id":5,"op":"run", ...Launch}                   -> {"id":5,"ok":true,"pid":88}
//   {"id":6,"op":"signal","run":R,"signal":15}
//   {"id":7,"op":"remove","run":R}                   answers once nothing of it is left
//   {"id":8,"op":"list"}                             -> {"id":8,"ok":true,"runs":[R...]}
//   {"id":9,"op":"attach","run":R}                   the connection then carries frames, see below
// and, to every connection that said hello: {"event":"exit","run":R,"code":1,"signal":0,...}.
// Frames after attach: one byte of channel (0 stdin, 1 stdout, 2 stderr, 3 end of stdin, 4 resize
// "COLUMNSxROWS"), four bytes of length (little endian), bytes.
#pragma once

namespace keelson::node {

inline constexpr int kKeeperVersion = 1;

// keeper --socket PATH [--log PATH]. Returns the exit code; runs until it is told to end.
int keeper_main(int argc, char** argv);

}  // namespace keelson::node
