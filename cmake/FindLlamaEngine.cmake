# The engine's own libraries, for the scorer: the very kernels that llama-server runs. PLANETSERVE_ENGINE names the folder
# of an engine as scripts/lib/engine.sh installs it, or one of your own with the same layout.
#
# Defines LlamaEngine_FOUND and two targets:
#   LlamaEngine::headers  the headers, and LLAMA_ENGINE_FOLDER, the folder found here. With shared libraries also
#                         LLAMA_ENGINE_LIBRARY, the file name of libllama, which a program can load when it needs it.
#                         (adapters/scorer/engine_library.h does.) With static libraries these are linked.
#   LlamaEngine::llama    the headers and the libraries, linked at build time
set(PLANETSERVE_ENGINE "" CACHE PATH "folder of the inference engine; without it the scorer is left out")

set(LlamaEngine_LIBRARIES "")
set(LlamaEngine_HEADER LlamaEngine_HEADER-NOTFOUND)
set(LlamaEngine_LIBRARY LlamaEngine_LIBRARY-NOTFOUND)
if(PLANETSERVE_ENGINE)
  if(EXISTS ${PLANETSERVE_ENGINE}/include/llama.h)
    set(LlamaEngine_HEADER ${PLANETSERVE_ENGINE}/include/llama.h)
  endif()
  if(EXISTS ${PLANETSERVE_ENGINE}/lib/libllama.a)
    set(LlamaEngine_LIBRARY ${PLANETSERVE_ENGINE}/lib/libllama.a)
    # Users before what they use: the linker searches static libraries once, in order.
    foreach(library llama ggml ggml-cpu ggml-base)
      list(APPEND LlamaEngine_LIBRARIES ${PLANETSERVE_ENGINE}/lib/lib${library}.a)
    endforeach()
    # g++ builds the engine, so the kernels need its OpenMP runtime, whatever compiler builds us.
    find_library(LlamaEngine_OPENMP NAMES gomp libgomp.so.1 PATHS /usr/lib/gcc/${CMAKE_LIBRARY_ARCHITECTURE}/12)
    list(APPEND LlamaEngine_LIBRARIES ${LlamaEngine_OPENMP} Threads::Threads ${CMAKE_DL_LIBS} m)
  else()
    # The prebuilt libraries have their version in their names (libllama.v0.5.0.so).
    foreach(library llama ggml ggml-base)
      file(GLOB found ${PLANETSERVE_ENGINE}/bin/lib${library}.so ${PLANETSERVE_ENGINE}/bin/lib${library}.v*.so
           ${PLANETSERVE_ENGINE}/lib/lib${library}.so ${PLANETSERVE_ENGINE}/lib/lib${library}.v*.so)
      if(found)
        list(GET found 0 found)
        list(APPEND LlamaEngine_LIBRARIES ${found})
      endif()
      if(library STREQUAL llama AND found)
        set(LlamaEngine_LIBRARY ${found})
      endif()
    endforeach()
  endif()
endif()

include(FindPackageHandleStandardArgs)
set(LlamaEngine_FIND_QUIETLY TRUE)
find_package_handle_standard_args(LlamaEngine REQUIRED_VARS LlamaEngine_HEADER LlamaEngine_LIBRARY LlamaEngine_LIBRARIES)

if(LlamaEngine_FOUND AND NOT TARGET LlamaEngine::llama)
  add_library(LlamaEngine::headers INTERFACE IMPORTED)
  target_include_directories(LlamaEngine::headers SYSTEM INTERFACE ${PLANETSERVE_ENGINE}/include)
  add_library(LlamaEngine::llama INTERFACE IMPORTED)
  target_link_libraries(LlamaEngine::llama INTERFACE LlamaEngine::headers ${LlamaEngine_LIBRARIES})
  get_filename_component(name ${LlamaEngine_LIBRARY} NAME)
  target_compile_definitions(LlamaEngine::headers INTERFACE LLAMA_ENGINE_FOLDER="${PLANETSERVE_ENGINE}")
  if(name MATCHES "\\.a$")
    target_link_libraries(LlamaEngine::headers INTERFACE ${LlamaEngine_LIBRARIES})
  else()
    target_compile_definitions(LlamaEngine::headers INTERFACE LLAMA_ENGINE_LIBRARY="${name}")
    target_link_libraries(LlamaEngine::headers INTERFACE ${CMAKE_DL_LIBS})
  endif()
endif()
