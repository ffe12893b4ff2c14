// Stand-ins for the headers of cuBLAS, cuSPARSE and cuSOLVER (770 MB of wheels), which LibTorch's
// CUDA headers include for a few handles and statuses in declarations.
#pragma once
typedef struct cublasContext* cublasHandle_t;
enum cublasStatus_t : int {};
