# The engine's own libraries, for the scorer: the very kernels that llama-server runs. PLANETSERVE_ENGINE names the folder
# of an engine as scripts/lib/engine.sh installs it (include, lib). Defines LlamaEngine::llama and LlamaEngine_FOUND.
set(PLANETSERVE_ENGINE "" CACHE PATH "folder of the inference engine; without it the scorer is left out")

set(LlamaEngine_LIBRARIES "")
set(LlamaEngine_HEADER LlamaEngine_HEADER-NOTFOUND)
if(PLANETSERVE_ENGINE)
  if(EXISTS ${PLANETSERVE_ENGINE}/include/llama.h)
    set(LlamaEngine_HEADER ${PLANETSERVE_ENGINE}/include/llama.h)
  endif()
  # From users to used: static libraries are searched once, in order.
  foreach(library llama ggml ggml-cpu ggml-base)
    if(EXISTS ${PLANETSERVE_ENGINE}/lib/lib${library}.a)
      list(APPEND LlamaEngine_LIBRARIES ${PLANETSERVE_ENGINE}/lib/lib${library}.a)
    else()
      set(LlamaEngine_HEADER LlamaEngine_HEADER-NOTFOUND)
    endif()
  endforeach()
endif()
# g++ builds the engine, so its OpenMP runtime is what the kernels need, whatever compiler builds us.
find_library(LlamaEngine_OPENMP NAMES gomp libgomp.so.1 PATHS /usr/lib/gcc/${CMAKE_LIBRARY_ARCHITECTURE}/12)

include(FindPackageHandleStandardArgs)
set(LlamaEngine_FIND_QUIETLY TRUE)
find_package_handle_standard_args(LlamaEngine REQUIRED_VARS LlamaEngine_HEADER LlamaEngine_LIBRARIES LlamaEngine_OPENMP)

if(LlamaEngine_FOUND AND NOT TARGET LlamaEngine::llama)
  add_library(LlamaEngine::llama INTERFACE IMPORTED)
  target_include_directories(LlamaEngine::llama SYSTEM INTERFACE ${PLANETSERVE_ENGINE}/include)
  target_link_libraries(LlamaEngine::llama INTERFACE ${LlamaEngine_LIBRARIES} ${LlamaEngine_OPENMP} Threads::Threads
                        ${CMAKE_DL_LIBS} m)
endif()
