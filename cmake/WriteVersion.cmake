# Run by every build: writes OUT from version.cpp.in, and touches it only where the version or the commit changed. So a
# commit costs one small file and a link, not a new build.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
                OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed OR NOT COMMIT)
  set(COMMIT unknown)
endif()
configure_file(${SOURCE}/cmake/version.cpp.in ${OUT} @ONLY)
