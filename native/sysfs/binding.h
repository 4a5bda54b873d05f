#pragma once

#include <napi.h>

namespace hostbrick {

/**
 * readFile(lane, path), readFiles(lane, paths), listDirectory(lane, path), writeAttribute(lane, path, value),
 * writeAttributeIf(lane, path, value, expected), walk(lane, root, plan), walkInParts(lane, root, plan, only)
 */
void export_sysfs(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
