#pragma once

#include <napi.h>

namespace hostbrick {

/** readHost(lane, paths, root, folders) -> {files, walk, addresses} */
void export_host(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
