#include "model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>

#include "base/error.h"

namespace streamvsr {

namespace {

using nlohmann::json;

// Far above any network this engine runs in reasonable time; below what a small machine can hold.
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{1} << 24;
constexpr std::size_t kMaxRank = 8;
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24;

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::kModel,
              "cannot use network file '" + path + "': " + what +
                  "; it may be damaged or unfinished: fetch or export it again",
              path);
}

std::vector<std::uint8_t> read_all(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    const int code = errno;
    if (code == ENOENT) {
      throw Error(ErrorKind::kNotFound, "there is no network file '" + path + "'", path, code);
    }
    throw_errno(code != 0 ? code : EIO, "open network file", path);
  }
  const std::streamoff size = file.tellg();
  // A directory opens on Linux, and then has no sensible size.
  if (size < 0) throw_errno(EISDIR, "read network file", path);
  if (static_cast<std::uint64_t>(size) > kMaxFileBytes) {
    refuse(path, "it is larger than the 1 GiB a network may have");
  }
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), size)) {
    throw_errno(errno != 0 ? errno : EIO, "read network file", path);
  }
  return bytes;
}

float half_to_float(const std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000U) << 16;
  const std::uint32_t exponent = (h >> 10) & 0x1fU;
  const std::uint32_t fraction = h & 0x3ffU;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24, exact in float
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

enum class Stored { kF32, kF16, kBf16 };

std::size_t stored_size(const Stored type) { return type == Stored::kF32 ? 4 : 2; }

std::vector<float> widen(const std::span<const std::uint8_t> bytes, const Stored type) {
  std::vector<float> values(bytes.size() / stored_size(type));
  if (type == Stored::kF32) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t raw = 0;
    std::memcpy(&raw, bytes.data() + 2 * i, 2);
    values[i] = type == Stored::kF16 ? half_to_float(raw)
                                     : std::bit_cast<float>(static_cast<std::uint32_t>(raw) << 16);
  }
  return values;
}

// Where one tensor's bytes lie, kept to prove that tensors neither overlap nor leave holes.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

bool is_count(const json& value) { return value.is_number_unsigned(); }

Tensor read_tensor(const std::string& path, const std::string& name, const json& entry,
                   const std::span<const std::uint8_t> body, Extent& extent) {
  const std::string who = "tensor '" + name + "' ";
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !entry["shape"].is_array() || !entry.contains("data_offsets") ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2) {
    refuse(path, who + "is not described by dtype, shape and data_offsets");
  }
  const auto dtype = entry["dtype"].get<std::string>();
  Stored type = Stored::kF32;
  if (dtype == "F16") {
    type = Stored::kF16;
  } else if (dtype == "BF16") {
    type = Stored::kBf16;
  } else if (dtype != "F32") {
    refuse(path, who + "is of type " + dtype + ", not F32, F16 or BF16");
  }
  Tensor tensor;
  if (entry["shape"].size() > kMaxRank) refuse(path, who + "has too many dimensions");
  std::uint64_t count = 1;
  for (const json& size : entry["shape"]) {
    if (!is_count(size) || size.get<std::uint64_t>() > kMaxDimension) {
      refuse(path, who + "has an impossible shape");
    }
    tensor.shape.push_back(size.get<std::int64_t>());
    count *= size.get<std::uint64_t>();
    if (count > kMaxFileBytes) refuse(path, who + "has an impossible shape");
  }
  const json& offsets = entry["data_offsets"];
  if (!is_count(offsets[0]) || !is_count(offsets[1])) refuse(path, who + "has impossible offsets");
  extent = {offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
  if (extent.begin > extent.end || extent.end > body.size()) {
    refuse(path, who + "reaches beyond the end of the file");
  }
  if (extent.end - extent.begin != count * stored_size(type)) {
    refuse(path, who + "has " + std::to_string(extent.end - extent.begin) + " bytes, but shape " +
                     shape_text(tensor.shape) + " of " + dtype + " needs " +
                     std::to_string(count * stored_size(type)));
  }
  tensor.values = widen(body.subspan(extent.begin, extent.end - extent.begin), type);
  if (!std::all_of(tensor.values.begin(), tensor.values.end(),
                   [](const float v) { return std::isfinite(v); })) {
    refuse(path, who + "holds values that are not finite");
  }
  return tensor;
}

void check_cover(const std::string& path, std::vector<Extent> extents, const std::size_t size) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t at = 0;
  for (const Extent& extent : extents) {
    if (extent.begin != at) refuse(path, "its tensors overlap or leave holes");
    at = extent.end;
  }
  if (at != size) refuse(path, "bytes follow its last tensor");
}

}  // namespace

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  }
  return text + ")";
}

SafeTensors read_safetensors(const std::string& path) {
  static_assert(std::endian::native == std::endian::little, "the container is little endian");
  const std::vector<std::uint8_t> bytes = read_all(path);
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) refuse(path, "it is shorter than a header");
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size() - sizeof header_bytes) {
    refuse(path, "its header says it is longer than the file, so it is no safetensors file");
  }
  const std::span all(bytes);
  const auto text = all.subspan(sizeof header_bytes, header_bytes);
  const auto body = all.subspan(sizeof header_bytes + header_bytes);
  const json header = json::parse(text.begin(), text.end(), nullptr, false);
  if (!header.is_object()) refuse(path, "its header is not a JSON object");

  SafeTensors content;
  std::vector<Extent> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) refuse(path, "its metadata is not a JSON object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) refuse(path, "metadata '" + key + "' is not a string");
        content.metadata.emplace(key, value.get<std::string>());
      }
      continue;
    }
    Extent extent;
    content.tensors.emplace(name, read_tensor(path, name, entry, body, extent));
    extents.push_back(extent);
  }
  check_cover(path, std::move(extents), body.size());
  return content;
}

}  // namespace streamvsr
