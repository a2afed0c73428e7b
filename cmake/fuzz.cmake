# libFuzzer targets: every tests/fuzz/NAME_fuzz.cpp becomes the program fuzz_NAME, with seeds in tests/fuzz/corpus/NAME.
# The parsers themselves are compiled with coverage, or the fuzzer would be blind inside them.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "GLINT_FUZZ needs clang: configure with -DCMAKE_CXX_COMPILER=clang++")
endif()

foreach(library glint_base glint_tensor glint_gguf glint_text glint_grammar)
  get_target_property(type ${library} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    target_compile_options(${library} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endforeach()

file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.cpp)
foreach(source ${fuzz_sources})
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "_fuzz$" "" name ${name})
  add_executable(fuzz_${name} ${source})
  target_include_directories(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(fuzz_${name} PRIVATE glint_text glint_gguf glint_grammar)
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endforeach()
# Of the engine only what reads this file, so that no backend is built.
target_sources(fuzz_logits_file PRIVATE ${CMAKE_SOURCE_DIR}/src/engine/logits_file.cpp)
