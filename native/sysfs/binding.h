#pragma once

#include <napi.h>

namespace hostbrick {

/** readFile(lane, path), listDirectory(lane, path), writeAttribute(lane, path, value), walk(lane, root, folders) */
void export_sysfs(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
