#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace hostbrick {

/** Bytes that grow at their end. Unlike a string's, room is not cleared before it is written to. */
class GrowingBytes {
 public:
  /** At least `size` bytes behind what there is; `extend` says how many of them have been written. */
  [[nodiscard]] char* room(std::size_t size) {
    if (capacity_ - size_ < size) grow(size_ + size);
    return data_.get() + size_;
  }
  void extend(std::size_t size) { size_ += size; }

  void append(std::string_view bytes) {
    std::ranges::copy(bytes, room(bytes.size()));
    extend(bytes.size());
  }

  /** Little-endian. */
  void append_integer(std::int32_t value) {
    const auto at = size_;
    (void)room(sizeof value);
    extend(sizeof value);
    write_integer(at, value);
  }

  /** Over what is at `at`. */
  void write_integer(std::size_t at, std::int32_t value) {
    const auto bits = static_cast<std::uint32_t>(value);
    for (unsigned byte = 0; byte < sizeof value; ++byte) data_[at + byte] = static_cast<char>(bits >> 8 * byte & 0xffU);
  }

  void truncate(std::size_t size) { size_ = size; }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] char* data() { return data_.get(); }
  [[nodiscard]] std::string_view from(std::size_t at) const { return {data_.get() + at, size_ - at}; }

 private:
  void grow(std::size_t needed) {
    const auto capacity = std::max(needed, 2 * capacity_);
    // NOLINTNEXTLINE(modernize-avoid-c-arrays): a vector would clear what is going to be overwritten.
    std::unique_ptr<char[]> data(new char[capacity]);
    std::copy_n(data_.get(), size_, data.get());
    data_ = std::move(data);
    capacity_ = capacity;
  }

  // NOLINTNEXTLINE(modernize-avoid-c-arrays)
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace hostbrick
