// Matrix products: the microkernels of brgemm/ where they work, else loops of our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "model/brgemm/brgemm.h"
#include "model/sample.h"

namespace streamvsr {

// Cache-line aligned storage: rows of activations, packed weights and products.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  explicit AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(const std::size_t n) {
    return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{64}));
  }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t{64}); }
  bool operator==(const AlignedAllocator&) const { return true; }
};
template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

// Weights as one product wants them: columns in blocks, each packed for the kernel that will run.
template <class T>
struct PackedWeights {
  struct Block {
    int first = 0;           // first column
    int columns = 0;         // 16, 32, 48 or 64
    std::size_t offset = 0;  // of the block in values
  };
  int k = 0;  // rows as multiplied: a multiple of the type's pairing, zero beyond the real ones
  int columns = 0;  // a multiple of 16
  std::vector<Block> blocks;
  AlignedVector<T> values;
};

// Purpose: owns the opened microkernels and knows, by having tried, which of them work here.
// Thread-safety: const calls from any thread. Ownership: closes the shared object when destroyed,
// so it must outlive every thread that multiplied.
class MatrixKernels {
 public:
  // path: the shared object; empty, or one that cannot be used, leaves the loops of our own.
  explicit MatrixKernels(const std::string& path);
  ~MatrixKernels();
  MatrixKernels(const MatrixKernels&) = delete;
  MatrixKernels& operator=(const MatrixKernels&) = delete;

  // Whether the microkernel of a type works here.
  template <class T>
  bool fast() const;
  // Why there is no microkernel; empty when there is.
  const std::string& reason() const { return reason_; }

  // weight: row-major, k rows of `columns`; columns is padded to a multiple of 16 with zeros.
  template <class T>
  static PackedWeights<T> pack(const float* weight, int k, int columns);

  // c (m x w.columns, dense) = a (m rows of w.k values, lda apart) * w. A result does not depend on
  // m or on its place in a. m <= 256.
  template <class T>
  void multiply(int m, const T* a, int lda, const PackedWeights<T>& w, float* c) const;

  // To be called by a thread that has multiplied before it turns to other work.
  void release() const;

 private:
  bool works_bf16() const;
  bool works_f32() const;

  struct Close {
    void operator()(void* handle) const;
  };
  std::unique_ptr<void, Close> library_;
  const streamvsr_brgemm* table_ = nullptr;  // owned by library_
  bool fast_bf16_ = false;
  bool fast_f32_ = false;
  std::string reason_;
};

}  // namespace streamvsr
