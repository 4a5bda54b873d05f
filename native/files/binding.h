#pragma once

#include <napi.h>

namespace hostbrick {

/** changeFiles(lane, operations), resolvePath(lane, path) */
void export_files(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
