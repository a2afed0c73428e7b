# Tests of glint as a library of other programs: a C99 client, what libglint.so shows, an installed copy, the examples,
# Python.
set(demo_model ${CMAKE_SOURCE_DIR}/models/glint-demo.gguf)

add_executable(c_api_test tests/c_api/c_api_test.c)
set_target_properties(c_api_test PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF)
target_compile_options(c_api_test PRIVATE -Wall -Wextra -Werror -pedantic)
target_link_libraries(c_api_test PRIVATE libglint)
if(GLINT_SANITIZE)
  set_target_properties(c_api_test PROPERTIES LINKER_LANGUAGE CXX)  # for the sanitizers' own C++
endif()
add_test(NAME c_api.client COMMAND c_api_test ${demo_model})

add_executable(example_many examples/many.cpp)
set_target_properties(example_many PROPERTIES OUTPUT_NAME many)
target_link_libraries(example_many PRIVATE glint_engine)
add_test(NAME examples.cpp COMMAND example_many ${demo_model} "Once upon a time" "Once upon a time there")
set_tests_properties(examples.cpp PROPERTIES PASS_REGULAR_EXPRESSION "Once upon a time.*tokens of the prompt.*Once upon a time there")

set(library_tests c_api.client examples.cpp)
# A library with sanitizers cannot be used by programs without.
if(NOT GLINT_SANITIZE)
  add_test(NAME c_api.exports COMMAND sh ${CMAKE_SOURCE_DIR}/tests/c_api/exports_test.sh $<TARGET_FILE:libglint>
    ${CMAKE_SOURCE_DIR}/include/glint/glint.h)
  add_test(NAME examples.c COMMAND sh ${CMAKE_SOURCE_DIR}/tests/c_api/installed_test.sh ${CMAKE_BINARY_DIR}
    ${CMAKE_SOURCE_DIR} ${demo_model})
  list(APPEND library_tests c_api.exports examples.c)
  if(GLINT_HAS_PYTHON)
    add_test(NAME python.module COMMAND ${Python_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/python/glint_test.py ${demo_model}
      ${CMAKE_SOURCE_DIR}/.cache/smollm2.gguf)
    add_test(NAME examples.python COMMAND ${Python_EXECUTABLE} ${CMAKE_SOURCE_DIR}/examples/stream.py ${demo_model}
      "Once upon a time")
    set_tests_properties(examples.python PROPERTIES PASS_REGULAR_EXPRESSION "\"mood\": *\"(happy|sad)\"")
    list(APPEND library_tests python.module examples.python)
  endif()
endif()
set_tests_properties(${library_tests} PROPERTIES TIMEOUT 300
  ENVIRONMENT "LLAMA_ARG_DEVICE=none;PYTHONPATH=${CMAKE_BINARY_DIR}/python")
