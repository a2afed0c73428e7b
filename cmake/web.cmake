# The web page inside the binary: /web bundled by esbuild with the libraries that Debian packages, packed with gzip and
# included by the assembler (cmake/pack_web.cmake). GLINT_WEB: ON needs the tools, AUTO does without the page where they
# are missing, OFF leaves it out.
set(GLINT_WEB AUTO CACHE STRING "build the web page: ON, OFF or AUTO")
set(web_libraries
  /usr/share/javascript/marked/marked.umd.js
  /usr/share/nodejs/dompurify/dist/purify.es.js
  /usr/share/nodejs/highlight.js/lib/highlight.js
  /usr/share/javascript/katex/katex.mjs
  /usr/share/javascript/katex/katex.min.css
  /usr/share/fonts/truetype/katex/KaTeX_Main-Regular.woff2)
set(web_lacks "")
if(NOT GLINT_WEB STREQUAL OFF)
  find_program(GLINT_ESBUILD esbuild)
  find_program(GLINT_GZIP gzip)
  foreach(tool GLINT_ESBUILD GLINT_GZIP)
    if(NOT ${tool})
      list(APPEND web_lacks ${tool})
    endif()
  endforeach()
  foreach(library ${web_libraries})
    if(NOT EXISTS ${library})
      list(APPEND web_lacks ${library})
    endif()
  endforeach()
  if(web_lacks AND GLINT_WEB STREQUAL ON)
    message(FATAL_ERROR "GLINT_WEB=ON lacks ${web_lacks}; tools/setup.sh build installs them")
  elseif(web_lacks)
    message(STATUS "no web page: ${web_lacks} missing")
  endif()
endif()

if(GLINT_WEB STREQUAL OFF OR web_lacks)
  target_sources(glint_server PRIVATE ${CMAKE_SOURCE_DIR}/cmake/web_files_none.cpp)
else()
  file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/*)
  set(web_folder ${CMAKE_BINARY_DIR}/web)
  add_custom_command(
    OUTPUT ${web_folder}/web_files.cpp
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR}/web/src -DTEMPLATE=${CMAKE_SOURCE_DIR}/cmake/web_files.cpp.in
      -DOUTPUT=${web_folder} -DESBUILD=${GLINT_ESBUILD} -DGZIP=${GLINT_GZIP} -P ${CMAKE_SOURCE_DIR}/cmake/pack_web.cmake
    DEPENDS NOTICE ${web_sources} ${web_libraries} cmake/pack_web.cmake cmake/web_files.cpp.in
    COMMENT "Bundling the web page" VERBATIM)
  add_custom_target(web_page_files DEPENDS ${web_folder}/web_files.cpp)
  target_sources(glint_server PRIVATE ${web_folder}/web_files.cpp)
endif()
