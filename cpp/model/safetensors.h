// Reader of the safetensors container: https://github.com/huggingface/safetensors.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace streamvsr {

// One tensor of a file, widened to float whatever its stored type. Values are finite.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  // row-major
};

// Purpose: the content of one file, checked in full before anything is handed out.
// Thread-safety: a value. Ownership: holds copies; the file is closed again.
struct SafeTensors {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;
};

// Throws kNotFound or kIo when the file cannot be read and kModel when its content breaks the
// format. Only F32, F16 and BF16 are accepted: a network holds nothing else.
SafeTensors read_safetensors(const std::string& path);

// "(3, 1, 3, 3)", for messages.
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace streamvsr
