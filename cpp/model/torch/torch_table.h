/* TorchScript archives behind a C boundary: libtorch sits in a shared object of its own, so that
 * nothing else of the program is built against it. Text is UTF-8 and ends with a zero byte. */
#ifndef STREAMVSR_MODEL_TORCH_TABLE_H
#define STREAMVSR_MODEL_TORCH_TABLE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever anything below changes in any way. */
#define STREAMVSR_TORCH_VERSION 1u
#define STREAMVSR_TORCH_SYMBOL "streamvsr_torch_table"

/* What a call returns. */
enum {
  STREAMVSR_TORCH_OK = 0,
  STREAMVSR_TORCH_FAILED = 1,    /* the archive cannot be used, or threw */
  STREAMVSR_TORCH_MEMORY = 2,    /* the device has too little memory */
  STREAMVSR_TORCH_NO_DEVICE = 3, /* the device is not there */
};

typedef struct streamvsr_torch_model streamvsr_torch_model;

typedef struct streamvsr_torch_request {
  const char* path;
  const char* device;    /* "auto" (an accelerator where there is one, else the CPU) or torch's name
                          */
  const char* precision; /* "auto" (fp32 on the CPU, else fp16), "fp32", "bf16" or "fp16" */
  int32_t threads;       /* of torch's operators on the CPU, >= 1 */
} streamvsr_torch_request;

typedef struct streamvsr_torch_info {
  int32_t planes;       /* in and out: 1 (luma) or 3 (red, green, blue) */
  int32_t scale;        /* factor in both directions */
  int32_t widest;       /* most channels that a convolution gives */
  int32_t sample_bytes; /* of one activation */
  char description[160];
} streamvsr_torch_info;

/* One picture; samples are uint8 for depth 8 and uint16 above, native endian. */
typedef struct streamvsr_torch_picture {
  int32_t width; /* of the source */
  int32_t height;
  int32_t depth;            /* 8..16 */
  const uint8_t* source[3]; /* as many as the network has planes */
  int64_t source_stride[3]; /* bytes, a multiple of the sample's */
  uint8_t* result[3];       /* scale times as wide and high */
  int64_t result_stride[3];
} streamvsr_torch_picture;

/* No exception leaves a function. A model is used by one thread, always the same one. After a call
 * that did not return STREAMVSR_TORCH_OK last_error() of the same thread says why, in one line. */
typedef struct streamvsr_torch {
  uint32_t version; /* STREAMVSR_TORCH_VERSION */
  uint32_t bytes;   /* sizeof(struct streamvsr_torch) */
  /* Reads an archive and tries it on small pictures. On success *model is the caller's. */
  int (*load)(const streamvsr_torch_request* request, streamvsr_torch_model** model,
              streamvsr_torch_info* info);
  /* Fills the picture's result: round(clamp(y, 0, 1) * (2^depth - 1)), ties to even. */
  int (*run)(streamvsr_torch_model* model, const streamvsr_torch_picture* picture);
  void (*unload)(streamvsr_torch_model* model);
  const char* (*last_error)(void);
} streamvsr_torch;

/* What the shared object exports under STREAMVSR_TORCH_SYMBOL; never null. */
typedef const streamvsr_torch* (*streamvsr_torch_table_fn)(void);

#ifdef __cplusplus
}
#endif

#endif /* STREAMVSR_MODEL_TORCH_TABLE_H */
