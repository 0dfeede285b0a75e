/* mca_coll_rondo: the collective component for Open MPI 4.1, built against its installed headers.
 *
 * Open MPI asks it for each communicator, and it asks for more than the others. What it does not
 * take goes to the module that was there before, so nothing else changes: no communicator is
 * duplicated, Fortran and C++ come the same way, arguments are checked before. */

#include <ompi_config.h>

#include <mpi.h>
#include <ompi/attribute/attribute.h>
#include <ompi/communicator/communicator.h>
#include <ompi/datatype/ompi_datatype.h>
#include <ompi/mca/coll/coll.h>
#include <ompi/mca/mca.h>
#include <opal/mca/base/mca_base_var.h>
#include <opal/runtime/opal_progress.h>

#include "bind/drop_in/module.h"

OMPI_MODULE_DECLSPEC extern const mca_coll_base_component_2_0_0_t mca_coll_rondo_component;

/* Above all that Open MPI brings: tuned has 30, han 35, sync 50. Settable between communicators,
 * by MPI_T: below 0 those made next are not taken. */
static int priority = 90;

typedef struct rondo_module {
  mca_coll_base_module_t super;
  struct rondo_previous previous;
  struct rondo_uncarried uncarried;
  struct rondo_left_table left;
  struct rondo_member* member;
} rondo_module;

static void construct(rondo_module* module) {
  memset(&module->previous, 0, sizeof module->previous);
  memset(&module->uncarried, 0, sizeof module->uncarried);
  memset(&module->left, 0, sizeof module->left);
  module->member = NULL;
}

static void destruct(rondo_module* module) {
  rondo_member_free(module->member);
#define RONDO_RELEASE_ONE(one) \
  if (one != NULL) OBJ_RELEASE(one);
#define RONDO_RELEASE(name, Name, parameters, arguments, glance) \
  RONDO_RELEASE_ONE(module->previous.name##_module)              \
  RONDO_RELEASE_ONE(module->uncarried.i##name##_module)          \
  RONDO_RELEASE_ONE(module->uncarried.name##_init_module)
  RONDO_MPI_COLLECTIVES(RONDO_RELEASE)
#undef RONDO_RELEASE
#undef RONDO_RELEASE_ONE
}

OBJ_CLASS_DECLARATION(rondo_module);
OBJ_CLASS_INSTANCE(rondo_module, mca_coll_base_module_t, construct, destruct);

void rondo_component_progress(void) {
  opal_progress();
}

int rondo_component_is_dense(MPI_Datatype type) {
  ptrdiff_t begin = 0;
  ptrdiff_t extent = 0;
  ompi_datatype_get_true_extent(type, &begin, &extent);
  return begin == 0 && ompi_datatype_is_contiguous_memory_layout(type, 2);
}

/* What is left below takes a glance and a jump. The member first, as those who have no module
 * expect it. */
#define RONDO_TAKE(name, Name, parameters, arguments, glance)                                 \
  static int take_##name(RONDO_MPI_LIST parameters, mca_coll_base_module_t* base) {           \
    rondo_module* module = (rondo_module*)base;                                               \
    const struct rondo_left_table* left = &module->left;                                      \
    if (RONDO_IS_LEFT(name, glance)) {                                                        \
      return module->previous.name(RONDO_MPI_LIST arguments, module->previous.name##_module); \
    }                                                                                         \
    return rondo_coll_##name(module->member, RONDO_MPI_LIST arguments);                       \
  }
RONDO_MPI_COLLECTIVES(RONDO_TAKE)
#undef RONDO_TAKE

/* What ends in a request is counted on its way. */
#define RONDO_COUNT(name, Name, parameters, arguments, glance)                            \
  static int pass_i##name(RONDO_MPI_LIST parameters, ompi_request_t** request,            \
                          mca_coll_base_module_t* base) {                                 \
    rondo_module* module = (rondo_module*)base;                                           \
    rondo_member_count_nonblocking(module->member, rondo_kind_##name);                    \
    return module->uncarried.i##name(RONDO_MPI_LIST arguments, request,                   \
                                     module->uncarried.i##name##_module);                 \
  }                                                                                       \
  static int pass_##name##_init(RONDO_MPI_LIST parameters, MPI_Info info,                 \
                                ompi_request_t** request, mca_coll_base_module_t* base) { \
    rondo_module* module = (rondo_module*)base;                                           \
    rondo_member_count_persistent(module->member, rondo_kind_##name);                     \
    return module->uncarried.name##_init(RONDO_MPI_LIST arguments, info, request,         \
                                         module->uncarried.name##_init_module);           \
  }
RONDO_MPI_COLLECTIVES(RONDO_COUNT)
#undef RONDO_COUNT

/* Those that the communicator has. */
static void count_on_its_way(rondo_module* module, struct ompi_communicator_t* comm) {
#define RONDO_COUNT_ONE(one)                                            \
  if (comm->c_coll->coll_##one != NULL) {                               \
    module->uncarried.one = comm->c_coll->coll_##one;                   \
    module->uncarried.one##_module = comm->c_coll->coll_##one##_module; \
    OBJ_RETAIN(module->uncarried.one##_module);                         \
    module->super.coll_##one = pass_##one;                              \
  }
#define RONDO_COUNT(name, Name, parameters, arguments, glance) \
  RONDO_COUNT_ONE(i##name) RONDO_COUNT_ONE(name##_init)
  RONDO_MPI_COLLECTIVES(RONDO_COUNT)
#undef RONDO_COUNT
#undef RONDO_COUNT_ONE
}

/* Not where another component has put itself before this one. The communicator's list of modules
 * keeps this one alive. */
void rondo_component_put_back(const struct rondo_previous* previous, MPI_Comm comm,
                              enum rondo_kind kind) {
  mca_coll_base_module_t* own = NULL;
  switch (kind) {
#define RONDO_PUT_BACK(name, Name, parameters, arguments, glance) \
  case rondo_kind_##name:                                         \
    if (comm->c_coll->coll_##name != take_##name) return;         \
    own = comm->c_coll->coll_##name##_module;                     \
    OBJ_RETAIN(previous->name##_module);                          \
    comm->c_coll->coll_##name = previous->name;                   \
    comm->c_coll->coll_##name##_module = previous->name##_module; \
    break;
    RONDO_MPI_COLLECTIVES(RONDO_PUT_BACK)
#undef RONDO_PUT_BACK
    case rondo_kind_count:
      return;
  }
  OBJ_RELEASE(own);
}

/* MPI_Finalize deletes the attributes of MPI_COMM_SELF before all else, the first one last. */
static int gather(MPI_Comm comm, int key, void* value, void* extra) {
  (void)comm;
  (void)key;
  (void)value;
  (void)extra;
  rondo_component_gather();
  return MPI_SUCCESS;
}

static int keep_to_self(MPI_Comm comm, int key, void* extra, void* value, void* copied, int* flag,
                        MPI_Comm duplicate) {
  (void)comm;
  (void)key;
  (void)extra;
  (void)value;
  (void)copied;
  (void)duplicate;
  *flag = 0;
  return MPI_SUCCESS;
}

static int gather_at_the_end(void) {
  ompi_attribute_fn_ptr_union_t copy = {.attr_communicator_copy_fn = keep_to_self};
  ompi_attribute_fn_ptr_union_t drop = {.attr_communicator_delete_fn = gather};
  ompi_communicator_t* self = &ompi_mpi_comm_self.comm;
  int key = MPI_KEYVAL_INVALID;
  int code = ompi_attr_create_keyval(COMM_ATTR, copy, drop, &key, NULL, 0, NULL);
  if (code != OMPI_SUCCESS) return code;
  return ompi_attr_set_c(COMM_ATTR, self, &self->c_keyhash, key, NULL, false);
}

static int enable(mca_coll_base_module_t* base, struct ompi_communicator_t* comm) {
  rondo_module* module = (rondo_module*)base;
#define RONDO_SAVE(name, Name, parameters, arguments, glance)          \
  if (comm->c_coll->coll_##name == NULL) return OMPI_ERR_NOT_FOUND;    \
  module->previous.name = comm->c_coll->coll_##name;                   \
  module->previous.name##_module = comm->c_coll->coll_##name##_module; \
  OBJ_RETAIN(module->previous.name##_module);
  RONDO_MPI_COLLECTIVES(RONDO_SAVE)
#undef RONDO_SAVE
  if (rondo_component_counts()) count_on_its_way(module, comm);
  module->left.rank = ompi_comm_rank(comm);
  module->left.ranks = ompi_comm_size(comm);
  module->member = rondo_member_make(&module->previous, &module->left, comm);
  if (module->member == NULL) return OMPI_ERR_OUT_OF_RESOURCE;
  return comm == &ompi_mpi_comm_world.comm ? gather_at_the_end() : OMPI_SUCCESS;
}

static mca_coll_base_module_t* query(struct ompi_communicator_t* comm, int* asked) {
  ompi_communicator_t* world = &ompi_mpi_comm_world.comm;
  if (!rondo_component_is_on(ompi_comm_rank(world), ompi_comm_size(world))) return NULL;
  if (priority < 0 || OMPI_COMM_IS_INTER(comm) || ompi_comm_size(comm) < 2) return NULL;
  rondo_module* module = OBJ_NEW(rondo_module);
  if (module == NULL) return NULL;
  *asked = priority;
  module->super.coll_module_enable = enable;
#define RONDO_SET(name, Name, parameters, arguments, glance) \
  module->super.coll_##name = take_##name;
  RONDO_MPI_COLLECTIVES(RONDO_SET)
#undef RONDO_SET
  return &module->super;
}

static int init(bool has_progress_threads, bool has_threads) {
  (void)has_progress_threads;
  (void)has_threads;
  return OMPI_SUCCESS;
}

static int register_parameters(void) {
  const int index = mca_base_component_var_register(
      &mca_coll_rondo_component.collm_version, "priority",
      "Priority of rondo's collectives; below 0 they are not used", MCA_BASE_VAR_TYPE_INT, NULL, 0,
      MCA_BASE_VAR_FLAG_SETTABLE, OPAL_INFO_LVL_6, MCA_BASE_VAR_SCOPE_ALL, &priority);
  return index < 0 ? OMPI_ERROR : OMPI_SUCCESS;
}

static int open_component(void) {
  return rondo_component_open() ? OMPI_SUCCESS : OMPI_ERR_NOT_AVAILABLE;
}

static int close_component(void) {
  rondo_component_close();
  return OMPI_SUCCESS;
}

const mca_coll_base_component_2_0_0_t mca_coll_rondo_component = {
    .collm_version = {MCA_COLL_BASE_VERSION_2_0_0, .mca_component_name = "rondo",
                      MCA_BASE_MAKE_VERSION(component, RONDO_MAJOR, RONDO_MINOR, RONDO_PATCH),
                      .mca_open_component = open_component, .mca_close_component = close_component,
                      .mca_register_component_params = register_parameters},
    .collm_data = {.param_field = MCA_BASE_METADATA_PARAM_NONE},
    .collm_init_query = init,
    .collm_comm_query = query,
};
